#!/usr/bin/env bash
# The accounts of a new Cassandra; the second time it changes nothing but the pipeline's password.
set -euo pipefail
host=${CASSANDRA_HOST:?}
admin_password=${CASSANDRA_ADMIN_PASSWORD:?}
pipeline_password=${CASSANDRA_PASSWORD:?}

# Passwords come from the environment and a file that only this account can read: a command line is for all to read.
umask 077
rc=$(mktemp -d)
trap 'rm -rf "$rc"' EXIT
as() {
    printf '[authentication]\nusername = %s\npassword = %s\n%s' "$1" "$2" "${CQLSH_TLS:-}" > "$rc/cqlshrc"
    cqlsh --cqlshrc "$rc/cqlshrc" "$host" 9042
}
# The role that comes with Cassandra exists a few seconds after the port is open.
for _ in $(seq 30); do
    if as stack_admin "$admin_password" <<< 'SELECT key FROM system.local;' > /dev/null 2>&1; then
        break
    fi
    if as cassandra cassandra > /dev/null 2>&1 <<< "CREATE ROLE IF NOT EXISTS stack_admin WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = '$admin_password';"; then
        continue
    fi
    sleep 2
done
# What the pipeline creates is its own, with every permission on it.
as stack_admin "$admin_password" << CQL
DROP ROLE IF EXISTS cassandra;
CREATE ROLE IF NOT EXISTS pipeline WITH LOGIN = true AND PASSWORD = '$pipeline_password';
GRANT CREATE ON ALL KEYSPACES TO pipeline;
CQL
# Only when it is another one: Cassandra takes a password every 5 seconds, and not one straight after the role was made.
if ! as pipeline "$pipeline_password" <<< 'SELECT key FROM system.local;' > /dev/null 2>&1; then
    as stack_admin "$admin_password" <<< "ALTER ROLE pipeline WITH PASSWORD = '$pipeline_password';"
fi
