"""Notebooks that are no pages: not executed, failed, or with an output that is a program."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from scripts.lib.program import ScriptError
from scripts.lib.site.notebook_pages import notebook_page


def written(folder: Path, *outputs: nbformat.NotebookNode, count: int | None = 1) -> Path:
    cell = nbformat.v4.new_code_cell("1", execution_count=count, outputs=list(outputs))
    path = folder / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), cell]), path)
    return path


def html(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("display_data", data={"text/html": text, "text/plain": "plain"})


def test_outputs_are_kept_without_colours_and_styles(tmp_path: Path) -> None:
    style = "<div>\n<style scoped>\n a {}\n</style>\n<table>\n\n<tr><td>1</td></tr>\n</table>\n</div>"
    stream = nbformat.v4.new_output("stream", text="\x1b[1;31mred\x1b[0m\n")
    body, images = notebook_page(written(tmp_path, stream, html(style)))
    assert '<div class="output" tabindex="0">\n<pre>red</pre>\n</div>' in body
    assert "\x1b" not in body
    assert "<style" not in body
    assert '<div class="output" tabindex="0">\n<div>\n<table>\n<tr>' in body
    assert images == {}


@pytest.mark.parametrize(
    ("outputs", "count", "problem"),
    [
        ((), None, "cell 2 has not been executed"),
        ((nbformat.v4.new_output("error", ename="KeyError", evalue="'x'"),), 1, "cell 2 ended with KeyError: 'x'"),
        ((html("<script>alert(1)</script>"),), 1, "cell 2: its HTML output is a program"),
        ((html("<img src=x onerror=alert(1)>"),), 1, "cell 2: its HTML output is a program"),
    ],
)
def test_what_is_no_page_is_refused(
    tmp_path: Path, outputs: tuple[nbformat.NotebookNode, ...], count: int | None, problem: str
) -> None:
    with pytest.raises(ScriptError, match=problem):
        notebook_page(written(tmp_path, *outputs, count=count))


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.ipynb"
    path.write_text("no JSON", encoding="utf-8")
    with pytest.raises(ScriptError, match="is no notebook"):
        notebook_page(path)
