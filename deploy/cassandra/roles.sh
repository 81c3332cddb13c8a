#!/usr/bin/env bash
# Create the accounts of a new Cassandra.  Running it again changes only the pipeline's password.
set -euo pipefail
host=${CASSANDRA_HOST:?}
admin_password=$(< "${CASSANDRA_ADMIN_PASSWORD_FILE:?}")
pipeline_password=$(< "${CASSANDRA_PASSWORD_FILE:?}")
: "${admin_password:?it is empty}" "${pipeline_password:?it is empty}"

# Passwords stay in files that only this account can read: everybody can read a command line.
umask 077
rc=$(mktemp -d)
trap 'rm -rf "$rc"' EXIT
as() {
    # In a file of their own: cqlsh will ignore passwords in cqlshrc, and warns about them already.
    printf '[PlainTextAuthProvider]\nusername = %s\npassword = %s\n' "$1" "$2" > "$rc/credentials"
    printf '%s' "${CQLSH_TLS:-}" > "$rc/cqlshrc"
    cqlsh --cqlshrc "$rc/cqlshrc" --credentials "$rc/credentials" "$host" 9042
}
# Cassandra's built-in role exists only a few seconds after the port is open.
for _ in $(seq 30); do
    if as stack_admin "$admin_password" <<< 'SELECT key FROM system.local;' > /dev/null 2>&1; then
        break
    fi
    if as cassandra cassandra > /dev/null 2>&1 <<< "CREATE ROLE IF NOT EXISTS stack_admin WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = '$admin_password';"; then
        continue
    fi
    sleep 2
done
# The pipeline owns what it creates and has all permissions on it.
as stack_admin "$admin_password" << CQL
DROP ROLE IF EXISTS cassandra;
CREATE ROLE IF NOT EXISTS pipeline WITH LOGIN = true AND PASSWORD = '$pipeline_password';
GRANT CREATE ON ALL KEYSPACES TO pipeline;
CQL
# Only if it differs: Cassandra accepts a password every 5 seconds at most, and none just after it created the role.
if ! as pipeline "$pipeline_password" <<< 'SELECT key FROM system.local;' > /dev/null 2>&1; then
    as stack_admin "$admin_password" <<< "ALTER ROLE pipeline WITH PASSWORD = '$pipeline_password';"
fi
