"""Print what a whole endpoint replaces inside moto, as JSON: what another object stands for than before, or is new."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from localmaker.endpoint import Endpoint, import_operations


def _contents() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] not in ("moto", "botocore", "werkzeug") or name.startswith("botocore.vendored"):
            continue
        for attribute, value in list(vars(module).items()):
            found[f"{name}.{attribute}"] = value
            if isinstance(value, type) and value.__module__ == name:
                found |= {f"{name}.{value.__qualname__}.{member}": one for member, one in vars(value).items()}
    return found


if __name__ == "__main__":
    import_operations()
    before = _contents()
    with tempfile.TemporaryDirectory() as folder:
        Endpoint(Path(folder))
        after = _contents()
    print(json.dumps(sorted(path for path, value in after.items() if before.get(path, after) is not value)))
