#!/usr/bin/env bash
# Create the cluster at the first start, as the image documents it, then become the server.
set -euo pipefail

# of NAME DEFAULT: the variable's value, or the content of the file that NAME_FILE names.
of() {
    local file="${1}_FILE"
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set" >&2
        exit 1
    fi
    if [ -n "${!file:-}" ]; then cat "${!file}"; else echo "${!1:-$2}"; fi
}

initialise() {
    local user password database method
    user=$(of POSTGRES_USER postgres)
    password=$(of POSTGRES_PASSWORD '')
    database=$(of POSTGRES_DB "$user")
    method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$password" ] && [ "$method" != trust ]; then
        echo "error: POSTGRES_PASSWORD is not set, and the server has no other way to know its administrator" >&2
        exit 1
    fi
    local words=()
    read -ra words <<< "$(of POSTGRES_INITDB_ARGS '')"
    initdb --username="$user" --pwfile=<(echo "$password") "${words[@]}"
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'\n" >> "$PGDATA/postgresql.conf"
    # Only on its socket: a client over TCP does not see a server that is not complete yet.
    pg_ctl --options="-c listen_addresses=''" --wait --silent start
    export PGHOST=/var/run/postgresql PGUSER=$user PGPASSWORD=$password
    if [ "$database" != postgres ]; then
        psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname=postgres --set=name="$database" \
            <<< 'CREATE DATABASE :"name";'
    fi
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        echo "running $script"
        case $script in
            *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
            *.sql) psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname="$database" --file="$script" ;;
            *.sql.gz) gunzip -c "$script" | psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname="$database" ;;
        esac
    done
    pg_ctl --mode=fast --wait --silent stop
    unset PGHOST PGUSER PGPASSWORD
}

if [ "${1#-}" != "$1" ]; then set -- postgres "$@"; fi
if [ "$1" = postgres ]; then
    shopt -s nullglob
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    [ -s "$PGDATA/PG_VERSION" ] || initialise
fi
exec "$@"
