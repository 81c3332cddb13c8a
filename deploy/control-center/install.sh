#!/usr/bin/env bash
# install.sh SOURCE TARGET: copy the settings of Prometheus and Alertmanager into the volume that Control Center writes
# to.  Each start overwrites our files.  The two files that Control Center edits (alerts created on its pages, and their
# receivers) are copied only once.
set -euo pipefail
source=$1
target=$2
for file in prometheus-generated.yml recording_rules-generated.yml pipeline_rules.yml web-config-prom.yml web-config-am.yml; do
    cp "$source/$file" "$target/$file"
done
for file in trigger_rules-generated.yml alertmanager-generated.yml; do
    [ -e "$target/$file" ] || cp "$source/$file" "$target/$file"
done
