#!/usr/bin/env bash
# Create the virtual environment in $1 from requirements.lock.  An environment that works stays as it is, unless PYTHON
# names another Python than the one that it was made with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${1:-.venv}
inputs=(requirements.lock pyproject.toml stack/setup.sh)

fail() {
    printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
    exit 2
}

# Version and place: the same for a Python and for the environments made with it.
identity() {
    "$1" -c 'import sys; print(*sys.version_info[:3], sys.base_prefix)' 2>/dev/null
}

works() {
    PYTHON=$venv/bin/python stack/interpreter.sh >/dev/null 2>&1 && "$venv/bin/python" -c 'import pip' 2>/dev/null
}

python=""
[ -z "${PYTHON:-}" ] || python=$(stack/interpreter.sh)
if works && { [ -z "$python" ] || [ "$(identity "$python")" = "$(identity "$venv/bin/python")" ]; }; then
    if [ -e "$venv/.ready" ] && [ -z "$(find "${inputs[@]}" -newer "$venv/.ready")" ]; then
        exit
    fi
else
    [ -n "$python" ] || python=$(stack/interpreter.sh)
    [ ! -e "$venv" ] || echo "$venv was made with another Python, or is broken: making it again" >&2
    rm -rf "$venv"
    version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
    echo "making $venv with Python $version ($python)" >&2
    "$python" -m venv "$venv"
fi

# Old versions of pip read neither SSL_CERT_FILE nor the system's certificates.
if [ -z "${PIP_CERT:-}${REQUESTS_CA_BUNDLE:-}${CURL_CA_BUNDLE:-}" ] &&
    ! "$venv/bin/python" -m pip config list 2>/dev/null | grep -q 'cert='; then
    for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
        if [ -f "$bundle" ]; then
            export PIP_CERT=$bundle
            break
        fi
    done
fi

# Skip compiling, a quarter of the work: Python compiles each module on first use.
[ -t 2 ] && bar=on || bar=off
echo "installing the packages of requirements.lock into $venv" >&2
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-compile --require-hashes --progress-bar "$bar" -r requirements.lock; then
    fail "the packages could not be installed; pip names the failed one above" \
        "check the network (set HTTPS_PROXY; behind a proxy that inspects TLS also SSL_CERT_FILE or PIP_CERT), then try again"
fi
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
touch "$venv/.ready"
