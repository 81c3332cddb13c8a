#!/usr/bin/env bash
# Write the file from which Airflow's simple login reads its accounts, with the password in the file that compose mounts.
set -euo pipefail
umask 077
python -c '
import json, os
with open(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"], "w", encoding="utf-8") as file:
    json.dump({"admin": open(os.environ["AIRFLOW_ADMIN_PASSWORD_FILE"], encoding="utf-8").read().rstrip("\n")}, file)
'
exec airflow api-server "$@"
