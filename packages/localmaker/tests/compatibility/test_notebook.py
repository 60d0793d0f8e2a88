"""A notebook is executed as it is, without what installs packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
from tests.compatibility.test_manifest import FOLDER


def execute(notebook: Path, *skipped: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "notebook.py"), notebook.name, *skipped]
    return subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, check=False, timeout=200)


def write(path: Path, *cells: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def test_installations_and_skipped_cells_are_left_out(tmp_path: Path) -> None:
    notebook = write(
        tmp_path / "n.ipynb",
        '!{sys.executable} -m pip install "sagemaker>=2"\nwhere = "here"',
        "1 / 0",
        "%pip install nothing\nopen(where, 'w').write('done')",
    )
    done = execute(notebook, "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here").read_text(encoding="utf-8") == "done"
    assert (tmp_path / "n.executed.ipynb").exists()


def test_a_failing_cell_ends_it(tmp_path: Path) -> None:
    done = execute(write(tmp_path / "n.ipynb", "1 / 0", "open('never', 'w')"))
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert not (tmp_path / "never").exists()


def test_an_error_that_the_notebook_shows_in_a_way_of_its_own_is_printed(tmp_path: Path) -> None:
    """The SDK has it shown by rich, as a display without a traceback."""
    shown = """
from IPython.core.getipython import get_ipython
from IPython.display import display
def show(*_, **__):
    display({"text/plain": "\\x1b[1;91mNoSuch\\x1b[0mImage"}, raw=True)
get_ipython().showtraceback = show
"""
    done = execute(write(tmp_path / "n.ipynb", "'not this'", shown, "1 / 0"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "NoSuchImage"
    assert "not this" not in done.stderr
