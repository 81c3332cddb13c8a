#!/usr/bin/env bash
# Print the URL $1, postgresql+DRIVER://USER@HOST…, with the password in AIRFLOW_DATABASE_PASSWORD_FILE.  It needs no
# quoting (deploy/passwords.py).
set -euo pipefail
password=$(< "${AIRFLOW_DATABASE_PASSWORD_FILE:?}")
printf '%s' "${1/@/:${password:?it is empty}@}"
