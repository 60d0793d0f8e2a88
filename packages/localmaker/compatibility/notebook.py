"""Execute a notebook's cells as its reader would; runs in the project's own environment.

``python notebook.py NOTEBOOK [CELL ...]``. Cells of these numbers are left out, and lines that install packages: the
environment has been built from them. The executed notebook is kept beside it, with its outputs. A failing cell ends the
program with status 1.
"""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

INSTALLS = re.compile(r"^\s*[!%].*\bpip3?\s+install\b")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def main() -> int:
    """Execute the notebook named on the command line."""
    path = Path(sys.argv[1])
    notebook = nbformat.read(path, as_version=4)
    skipped = {int(number) for number in sys.argv[2:]}
    notebook.cells = [cell for number, cell in enumerate(notebook.cells) if number not in skipped]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = "\n".join(line for line in cell.source.splitlines() if not INSTALLS.match(line))
    client = NotebookClient(notebook, timeout=None, kernel_name="python3")
    try:
        client.execute()
    except CellExecutionError as error:
        # Some have errors shown by a library, as a display: then the error here has no traceback.
        print(COLOURS.sub("", f"{error}\n{_displays(notebook)}"), file=sys.stderr)
        return 1
    finally:
        nbformat.write(notebook, path.with_suffix(".executed.ipynb"))
    return 0


def _displays(notebook: nbformat.NotebookNode) -> str:
    """Return what the last executed cell displays, as text."""
    outputs: list[Any] = next((cell.outputs for cell in reversed(notebook.cells) if cell.get("outputs")), [])
    return "\n".join(one.data.get("text/plain", "") for one in outputs if one.output_type == "display_data")


if __name__ == "__main__":
    sys.exit(main())
