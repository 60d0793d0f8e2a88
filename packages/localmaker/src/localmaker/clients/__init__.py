"""What runs in the programs that talk to the endpoint, not in the endpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

#: A folder for ``PYTHONPATH``, whose programs stay at the endpoint also where they name AWS's own addresses.
STARTUP = Path(__file__).parent / "startup"
_MODULE = "_localmaker_redirection"


def redirect(environment: Path) -> None:
    """Let the programs of a virtual environment stay at the endpoint, also where they name AWS's own addresses.

    Not as its ``sitecustomize``: that of the interpreter would come first.
    """
    for packages in environment.glob("lib/python*/site-packages"):
        shutil.copyfile(STARTUP / "sitecustomize.py", packages / f"{_MODULE}.py")
        (packages / f"{_MODULE}.pth").write_text(f"import {_MODULE}\n", encoding="utf-8")
