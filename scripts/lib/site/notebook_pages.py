"""Executed notebooks as pages: nbconvert's Markdown with outputs; tables scroll, colours of terminals are left out."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from scripts.lib.program import ScriptError

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: What pandas writes before each table; the site has its own style.
_STYLE = re.compile(r"<style scoped>.*?</style>\s*", re.DOTALL)
_OUTPUT = '\n<div class="output" tabindex="0">\n{}\n</div>\n'
_EMPTY_LINES = re.compile(r"\n\s*\n")
_ACTIVE = re.compile(r"<(?:script|iframe|object|embed|link)\b|\son[a-z]+\s*=|javascript:", re.IGNORECASE)


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return the page of an executed notebook, and the images that it shows by their paths beside it.

    Raises ScriptError where a cell has not been executed, ended with an error, or has an output that is a program.
    """
    import nbformat
    from nbconvert.exporters import MarkdownExporter

    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path} is no notebook: {error}") from error
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            _prepare(cell, f"{path}, cell {number}")
    exporter = MarkdownExporter(
        config={"TemplateExporter": {"exclude_input_prompt": True, "exclude_output_prompt": True}}
    )
    folder = f"{path.stem}_files"
    body, resources = exporter.from_notebook_node(notebook, {"output_files_dir": folder, "unique_key": "output"})
    return body.replace("![png](", "![Figure]("), dict(resources.get("outputs", {}))


def _prepare(cell: Any, where: str) -> None:
    """Make a cell's outputs fit to be shown on a page."""
    if cell.source.strip() and cell.execution_count is None:
        raise ScriptError(f"{where} has not been executed.", "Give the folder of executed notebooks.")
    for output in cell.outputs:
        if output.output_type == "error":
            raise ScriptError(
                f"{where} ended with {output.ename}: {output.evalue}", "Correct it, and execute it again."
            )
        shown = output.text if output.output_type == "stream" else output.data.get("text/plain", "")
        data = {} if output.output_type == "stream" else dict(output.data)
        if "text/html" in data:
            if _ACTIVE.search(data["text/html"]):
                raise ScriptError(f"{where}: its HTML output is a program.", "Show a table or a picture.")
            shown = _EMPTY_LINES.sub("\n", _STYLE.sub("", data["text/html"]).strip())
        elif not any(kind.startswith("image/") for kind in data):
            shown = f"<pre>{html.escape(_ANSI.sub('', shown).rstrip())}</pre>"
        else:
            continue
        output.clear()
        output.update(output_type="display_data", metadata={}, data={"text/html": _OUTPUT.format(shown)})
