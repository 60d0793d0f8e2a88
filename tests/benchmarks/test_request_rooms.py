"""A request crosses few modules of the local endpoint."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
# Of them, five read the request and decide whether it is served: heads, bodies, connection, browsers, bounds.
_MOST_MODULES = 18


def test_a_put_object_crosses_few_modules() -> None:
    command = [sys.executable, "-m", "benchmarks.request_rooms", "--modules", "--only", "PutObject"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    found = re.search(r"^PutObject: (\d+) modules", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    assert int(found[1]) <= _MOST_MODULES, done.stdout
