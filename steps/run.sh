#!/bin/bash
# Start one step in a processing or training container: unpack the code, install what the image lacks, run it.
#   run.sh <script>.py [argument ...]
# It lies with sourcedir.tar.gz in the input "code", with the input "wheels" beside it, as in
# /opt/ml/processing/input/code/ or /opt/ml/input/data/code/. The code goes to code/ in the folder of "input".
set -euo pipefail

fail() {
  echo "$1" >&2
  say "$1" message failure
  exit 1
}

# A processing job's reason is the file "message", a training job's "failure".
say() {
  # Outside a container there is no /opt/ml and nobody reads them.
  if [[ -d /opt/ml ]]; then
    for file in "${@:2}"; do
      mkdir -p /opt/ml/output && printf '%s' "$1" >"/opt/ml/output/$file" || echo "run.sh: no $file file" >&2
    done
  fi
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
wheels=$(dirname "$here")/wheels
code=${here%/input/*}/code
script=${1:?"usage: run.sh <script>.py [argument ...]"}
shift

mkdir -p "$code" || fail "run.sh: the folder $code can't be created."
tar -xzf "$here/sourcedir.tar.gz" -C "$code" --no-same-owner || fail "run.sh: sourcedir.tar.gz can't be unpacked."
[[ "$script" != */* && -f "$code/$script" ]] || fail "run.sh: there is no script '$script' in sourcedir.tar.gz."
cd "$code"

# pip takes a second to find out that nothing is to do, and importlib.metadata, which reads files, a tenth of one.
satisfied() {
  python3 - <<'PY'
import os
import sys


def spelled(name):
    return name.replace("-", "_").replace(".", "_").lower()


found = {}
for folder in filter(os.path.isdir, reversed(sys.path)):
    for entry in os.listdir(folder):
        name, _, version = entry.removesuffix(".dist-info").partition("-")
        if entry.endswith(".dist-info"):
            found[spelled(name)] = version
for line in open("requirements.txt", encoding="utf-8"):
    name, pinned, rest = line.partition("==")
    if pinned and found.get(spelled(name)) != rest.split()[0]:
        sys.exit(1)
PY
}

if grep -q == requirements.txt; then
  [[ -d "$wheels" ]] || fail "run.sh: the job has no input 'wheels' to install requirements.txt from, and asks no package \
index. Give the step that input, from the folder that the command deploy puts into the artifacts bucket."
  # The image writes no bytecode, so compiling all of a library to import a part of it would be time lost.
  satisfied || said=$(python3 -m pip install --quiet --disable-pip-version-check --no-input --no-compile --no-deps \
    --no-index --find-links "$wheels" --require-hashes -r requirements.txt 2>&1) ||
    fail "run.sh: requirements.txt can't be installed from the input 'wheels': ${said##*ERROR: } The command plan shows \
what is missing in the artifacts bucket, and the command deploy puts it there."
fi

# A training job that dies without a word of its own; after a success nobody reads it.
[[ "$here" != /opt/ml/input/data/* ]] || say "$script ended before it could say why; the end of its log does." failure

export PYTHONUNBUFFERED=1
# numpy starts threads of its linear algebra at its import, and with small matrices they only wait for each other.
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
exec python3 "$script" "$@"
