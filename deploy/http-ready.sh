#!/usr/bin/env bash
# http-ready PORT PATH: exit 0 if this container answers 200 there.  For images that have bash but no curl.
set -euo pipefail
exec 3<> "/dev/tcp/127.0.0.1/$1"
printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3
IFS=' ' read -r _ status _ <&3
[ "$status" = 200 ]
