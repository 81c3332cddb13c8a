#!/usr/bin/env bash
# Airflow's simple login reads its accounts from a file: makes it from the password that compose hands over.
set -euo pipefail
umask 077
python -c '
import json, os
with open(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"], "w", encoding="utf-8") as file:
    json.dump({"admin": os.environ["AIRFLOW_ADMIN_PASSWORD"]}, file)
'
unset AIRFLOW_ADMIN_PASSWORD
exec airflow api-server "$@"
