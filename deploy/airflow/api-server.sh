#!/usr/bin/env bash
# Write the file from which Airflow's simple login reads its accounts, with the password that compose passes on.
set -euo pipefail
umask 077
python -c '
import json, os
with open(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"], "w", encoding="utf-8") as file:
    json.dump({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}, file)
'
unset AIRFLOW_ADMIN_PASSWORD
exec airflow api-server "$@"
