#!/usr/bin/env bash
# Create the virtual environment in $1 from requirements.lock, with the Python that PYTHON names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${1:-.venv}

fail() {
    printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
    exit 2
}

is_311() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

python=""
for candidate in "${PYTHON:-python3.11}" python3.11 python3 python; do
    if command -v "$candidate" >/dev/null && is_311 "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    fail "Python 3.11 was not found (both Spark 3.5 and Airflow 3.3 support it)" \
        "install python3.11, or say where it is: make setup PYTHON=/path/to/python3.11"
fi

if ! is_311 "$venv/bin/python" || ! "$venv/bin/python" -c 'import pip, ssl' 2>/dev/null; then
    if ! "$python" -c 'import venv, ensurepip, ssl' 2>/dev/null; then
        fail "$python cannot create virtual environments (its venv, ensurepip or ssl module is missing or broken)" \
            "install the module; on Debian and Ubuntu: apt-get install python3.11-venv"
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi

# The pip that comes with Python 3.11 reads neither SSL_CERT_FILE nor the system's certificates.
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
