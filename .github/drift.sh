#!/usr/bin/env bash
# Compare an environment with the code, and look again before it counts: AWS shows some settings, such as those of
# buckets, only a while after they were made. Exit code 2: something differs.
set -euo pipefail
for attempt in 1 2 3; do
    code=0
    .venv/bin/python -m pipeline drift --env "$1" || code=$?
    if [ "$code" -eq 0 ] || [ "$attempt" -eq 3 ]; then exit "$code"; fi
    sleep "${DRIFT_WAIT_SECONDS:-60}"
done
