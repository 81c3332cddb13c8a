#!/bin/sh
# Print the path of the Python that `make` builds the environment with: the one that PYTHON names, or the newest
# supported one on this machine.  `--all` prints version and path of each supported one, the oldest first.
set -eu
cd "$(dirname "$0")/.."

# shellcheck disable=SC2046 # two words: the oldest supported minor version, and the first unsupported one
set -- "${1:-}" $(sed -n 's/^requires-python = ">=3\.\([0-9]*\),<3\.\([0-9]*\)"$/\1 \2/p' pyproject.toml)
oldest=$2
newest=$(($3 - 1))
range="3.$oldest to 3.$newest"

# Runs in any Python, 2.7 too.  The path is the one below a virtual environment or a shim.
EXAMINE='
import sys
oldest, newest = int(sys.argv[1]), int(sys.argv[2])
version = "%d.%d.%d" % sys.version_info[:3]
def reason():
    if sys.version_info[0] != 3 or not oldest <= sys.version_info[1] <= newest:
        return "is Python " + version
    if sys.implementation.name != "cpython":
        return "is " + sys.implementation.name + ", for which many packages have no wheels"
    if sys.version_info.releaselevel != "final":
        return "is a pre-release"
    import sysconfig
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "is a free-threaded build, for which many packages have no wheels"
    for module in "ssl", "venv", "ensurepip":
        try:
            __import__(module)
        except Exception:
            return "cannot create environments: its module " + module + " is missing or broken"
print(reason() or "usable " + version + " " + getattr(sys, "_base_executable", sys.executable))
'

examine() {
    "$1" -c "$EXAMINE" "$oldest" "$newest" 2>/dev/null </dev/null || echo "does not start"
}

# Each executable of this name, in the order of PATH.  `uv python install` puts its links into the last folder.
named() {
    (
        set -f
        IFS=:
        for folder in $PATH "${XDG_BIN_HOME:-${HOME:-/}/.local/bin}"; do
            [ -x "$folder/$1" ] && [ ! -d "$folder/$1" ] && echo "$folder/$1"
        done
        true
    )
}

# Those of one minor version that pyenv has, the newest first.
of_pyenv() {
    versions=${PYENV_ROOT:-${HOME:-/}/.pyenv}/versions
    for folder in "$versions/3.$1".*; do
        [ -x "$folder/bin/python3.$1" ] && echo "${folder##*/3."$1".}"
    done | sort -rn | while read -r patch; do
        echo "$versions/3.$1.$patch/bin/python3.$1"
    done
}

candidates() {
    minor=$newest
    while [ "$minor" -ge "$oldest" ]; do
        named "python3.$minor"
        of_pyenv "$minor"
        minor=$((minor - 1))
    done
    named python3
    named python
}

fail() {
    printf 'error: %s\n  fix: %s\n' "$1" "$2" >&2
    exit 2
}

if [ "$1" = --all ]; then
    candidates | while read -r candidate; do
        found=$(examine "$candidate")
        case $found in usable*) echo "${found#usable }" ;; esac
    done | awk '!seen[$1]++' | sort -t. -k2,2n -k3,3n
    exit
fi

if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null ||
        fail "PYTHON=$PYTHON was not found" "name a Python $range, or leave PYTHON out, and make chooses one"
    found=$(examine "$PYTHON")
    case $found in
    usable*) echo "${found#usable * }" ;;
    *) fail "PYTHON=$PYTHON $found" "name a Python $range, or leave PYTHON out, and make chooses one" ;;
    esac
    exit
fi

unusable=""
while read -r candidate; do
    [ -n "$candidate" ] || continue # nothing at all was found
    found=$(examine "$candidate")
    case $found in
    usable*)
        echo "${found#usable * }"
        exit
        ;;
    esac
    unusable="$unusable; $candidate $found"
done <<EOF
$(candidates)
EOF
fail "no usable Python $range was found on PATH or in pyenv${unusable:+ (${unusable#; })}" \
    "apt-get install python3-venv, dnf install python3.12, brew install python@3.13 or uv python install 3.13; or name one: make setup PYTHON=/path/to/python"
