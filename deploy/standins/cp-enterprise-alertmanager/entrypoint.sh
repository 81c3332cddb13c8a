#!/usr/bin/env bash
# Start Alertmanager, alone, with the files in CONFIG_PATH.
set -euo pipefail
exec prometheus-alertmanager --config.file="$CONFIG_PATH/alertmanager-generated.yml" \
    --web.config.file="$CONFIG_PATH/web-config-am.yml" \
    --storage.path=/var/lib/confluent/control-center/alertmanager --cluster.listen-address=
