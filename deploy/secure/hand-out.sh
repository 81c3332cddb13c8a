#!/usr/bin/env bash
# hand-out.sh MADE GIVEN: copy each server's key into its volume, readable only for its account, and the authority for all.
set -euo pipefail
made=$1
given=$2
# give VOLUME OWNER MODE FILE...
give() {
    for file in "${@:4}"; do
        install -m "$3" -o "$2" -g "$2" "$made/$file" "$given/$1/$file"
    done
}
# The images' accounts: appuser, cassandra, postgres, and our own `pipeline`.
for volume in broker:1000 schema-registry:1000 control-center:1000 cassandra:999 postgres:999 admin:10001 client:10001; do
    give "${volume%:*}" "${volume#*:}" 644 ca.pem
done
give broker 1000 600 broker.pem
give schema-registry 1000 600 schema-registry.pem users.properties
give control-center 1000 600 login.properties
give cassandra 999 600 cassandra.pem
give postgres 999 600 postgres.key postgres.crt
give admin 10001 600 admin.key admin.crt
