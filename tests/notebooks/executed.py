"""An executed notebook, as its outputs tell of it."""

from __future__ import annotations

import base64
import io
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
TEMPLATE, EXPORT, PREDICT = (
    NOTEBOOKS / f"{name}.ipynb" for name in ("01_template", "02_export_model", "03_predict_from_export")
)
REAL = {
    "bike_sharing": ROOT.parent / "shared" / "data" / "bike_sharing" / "day.csv",
    "red_wine": ROOT.parent / "shared" / "data" / "wine_quality" / "winequality-red.csv",
}


SECONDS = 300.0
"""A cell's limit, for machines that are busy."""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs; cells are named by their ids."""

    notebook: Any

    def cells(self) -> dict[str, Any]:
        """Return the code cells."""
        return {cell["id"]: cell for cell in self.notebook["cells"] if cell["cell_type"] == "code"}

    def outputs(self, name: str) -> list[Any]:
        """Return what a cell has left."""
        return list(self.cells()[name]["outputs"])

    def printed(self, name: str) -> str:
        """Return what a cell has printed."""
        return "".join(one["text"] for one in self.outputs(name) if one["output_type"] == "stream")

    def table(self, name: str) -> dict[str, dict[str, str]]:
        """Return the table that a cell shows: row → column → text; the parts of a row's name are joined by a blank."""
        pages = [one["data"]["text/html"] for one in self.outputs(name) if "text/html" in one.get("data", {})]
        assert len(pages) == 1, (name, len(pages))
        soup = BeautifulSoup(pages[0], "html.parser")
        header = [cell.text for cell in soup.select("thead tr:first-child th")]
        body = soup.select("tbody tr")
        width = len(body[0].find_all("td"))
        found: dict[str, dict[str, str]] = {}
        outer = ""
        for row in body:
            names = [cell.text for cell in row.find_all("th")]
            outer = names[0] if len(names) > 1 else outer
            depth = len(header) - width
            key = " ".join(names if depth == len(names) or not outer else [outer, *names])
            found[key] = dict(zip(header[-width:], [cell.text for cell in row.find_all("td")], strict=True))
        return found

    def pictures(self, name: str) -> list[Image.Image]:
        """Return the pictures that a cell shows."""
        data = [one["data"]["image/png"] for one in self.outputs(name) if "image/png" in one.get("data", {})]
        return [Image.open(io.BytesIO(base64.b64decode(one))) for one in data]

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield every text of every output, with the name of its cell."""
        for name, cell in self.cells().items():
            for output in cell["outputs"]:
                yield name, output.get("text", "")
                yield from ((name, text) for kind, text in output.get("data", {}).items() if kind.startswith("text/"))


def blemishes(executed: Executed) -> list[str]:
    """Return what a reader of the notebook should not see: errors, warnings, and codes for terminals."""
    found = [f"{name}: writes to standard error" for name in executed.cells() if _errors(executed.outputs(name))]
    marks = re.compile(r"\x1b|Warning:|Traceback|<Figure|\bnan\b", re.IGNORECASE)
    return found + [f"{name}: {match[0]!r}" for name, text in executed.texts() if (match := marks.search(text))]


def _errors(outputs: list[Any]) -> bool:
    return any(one.get("name") == "stderr" or one["output_type"] == "error" for one in outputs)
