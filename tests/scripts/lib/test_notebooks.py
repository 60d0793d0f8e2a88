"""Notebooks are run by a kernel of this interpreter, which knows nothing of whoever runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from scripts.lib.notebooks import NotebookError, execute
from scripts.lib.program import ScriptError

pytestmark = pytest.mark.slow


@pytest.fixture
def write(tmp_path):
    def one(**cells: str) -> Path:
        path = tmp_path / "some.ipynb"
        made = [new_code_cell(source, id=name) for name, source in cells.items()]
        nbformat.write(new_notebook(cells=made), path)
        return path

    return one


def test_the_kernel_is_this_interpreter_in_an_empty_home(write, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("BIKESHARE_DATASET", "red_wine")
    path = write(
        where="import os, sys; print(sys.executable, os.getcwd(), os.environ['DATA'], sep='\\n')",
        home="print(os.listdir(os.path.expanduser('~')))",
        known="print(sorted(name for name in os.environ if name.startswith(('AWS_', 'BIKESHARE_'))))",
    )
    before = path.read_bytes()
    done = execute(path, variables={"DATA": "some.csv"}, timeout=60)
    texts = ["".join(output["text"] for output in cell.outputs) for cell in done.cells]
    assert texts == [f"{sys.executable}\n{path.parent}\nsome.csv\n", "[]\n", "[]\n"]
    assert path.read_bytes() == before
    assert not [one for one in psutil.Process().children() if "ipykernel_launcher" in one.cmdline()]


def test_an_error_names_notebook_and_cell(write):
    path = write(first="1", second="raise ValueError('no such table')", third="2")
    with pytest.raises(NotebookError, match=r"^some.ipynb, cell second: ValueError: no such table"):
        execute(path, variables={}, timeout=60)


def test_a_cell_that_takes_too_long_ends_it(write):
    path = write(slow="import time; time.sleep(600)")
    with pytest.raises(NotebookError, match=r"^some.ipynb, cell slow: .*timed out"):
        execute(path, variables={}, timeout=1)


def test_a_kernel_that_dies_ends_it(write):
    path = write(last="import os; os._exit(1)")
    with pytest.raises(NotebookError, match=r"^some.ipynb, cell last: Kernel died"):
        execute(path, variables={}, timeout=60)


def test_a_notebook_that_is_not_there(tmp_path):
    with pytest.raises(ScriptError, match=r"The notebook .*none.ipynb is not there"):
        execute(tmp_path / "none.ipynb", variables={}, timeout=60)
