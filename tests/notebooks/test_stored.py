"""Notebooks as they are committed: without outputs, in the current format, and with no code of their own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from scripts.lib.notebooks import KERNEL
from tests.notebooks.executed import EXPORT, NOTEBOOKS, PREDICT, ROOT, TEMPLATE

STORED = sorted(NOTEBOOKS.glob("*.ipynb"))
LONGEST_CELL = 12
_LINK = re.compile(r"\]\(([^)#]+)")


@pytest.fixture(params=STORED, ids=[path.stem for path in STORED])
def stored(request) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=nbformat.NO_CONVERT)


def code_of(notebook: nbformat.NotebookNode) -> dict[str, str]:
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


def test_there_are_three():
    assert STORED == [TEMPLATE, EXPORT, PREDICT]


def test_format_is_the_current_one(stored):
    nbformat.validate(stored)
    assert (stored.nbformat, stored.nbformat_minor) == (4, 5)
    assert stored.metadata.kernelspec.name == KERNEL
    assert len({cell.id for cell in stored.cells}) == len(stored.cells)


def test_outputs_are_cleared(stored):
    for cell in stored.cells:
        assert set(cell.metadata) == set(), cell.id
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None), cell.id


def test_cells_are_short_and_only_call(stored):
    for name, source in code_of(stored).items():
        body = [node for node in ast.parse(source).body if not isinstance(node, ast.Import | ast.ImportFrom)]
        lines = sum(node.end_lineno - node.lineno + 1 for node in body)
        assert lines <= LONGEST_CELL, name
        defined = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert not defined, f"{name}: what it defines belongs into pipeline/exploration"


def test_each_section_says_what_why_what_to_look_for_and_what_to_change():
    notebook = nbformat.read(TEMPLATE, as_version=nbformat.NO_CONVERT)
    texts = {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "markdown"}
    for name in set(texts) - {"title", "settings-text", "final-text", "honest-text", "own-text", "next-text"}:
        assert [word for word in ("What", "Why", "Look for", "Change") if f"**{word}." not in texts[name]] in (
            [],
            ["Why"],  # a part of a section that has said it
        ), name


def test_links_lead_to_files(stored):
    for cell in stored.cells:
        for link in _LINK.findall(cell.source) if cell.cell_type == "markdown" else ():
            assert "://" in link or (NOTEBOOKS / link).resolve().is_relative_to(ROOT), link
            assert "://" in link or (NOTEBOOKS / Path(link)).exists(), link
