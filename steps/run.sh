#!/bin/bash
# Start one step in a processing container: unpack the code beside the input, install what the image lacks, run it.
#   run.sh <script>.py [argument ...]
# It lies in <processing>/input/code/ with sourcedir.tar.gz; the code goes to <processing>/code/.
set -euo pipefail

fail() {
  echo "$1" >&2
  # Outside a container there is no /opt/ml and nobody reads the message.
  if [[ -d /opt/ml ]]; then
    mkdir -p /opt/ml/output && printf '%s' "$1" >/opt/ml/output/message || echo "run.sh: no message file" >&2
  fi
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
code=$(cd "$here/../.." && pwd)/code
script=${1:?"usage: run.sh <script>.py [argument ...]"}
shift

mkdir -p "$code"
tar -xzf "$here/sourcedir.tar.gz" -C "$code" --no-same-owner || fail "run.sh: sourcedir.tar.gz can't be unpacked."
[[ "$script" != */* && -f "$code/$script" ]] || fail "run.sh: there is no script '$script' in sourcedir.tar.gz."
cd "$code"

# pip takes a second to find out that nothing is to do; comparing versions takes a twentieth of that.
satisfied() {
  python3 - <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version

try:
    for line in open("requirements.txt", encoding="utf-8"):
        name, _, wanted = line.partition("#")[0].strip().partition("==")
        if name and version(name.partition("[")[0]) != wanted:
            sys.exit(1)
except PackageNotFoundError:
    sys.exit(1)
PY
}

if ! satisfied; then
  python3 -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: -r requirements.txt ||
    fail "run.sh: requirements.txt could not be installed. Does the job reach a package index (VPC, network isolation)?"
fi

export PYTHONUNBUFFERED=1
exec python3 "$script" "$@"
