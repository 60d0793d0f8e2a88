"""Read a file of days whole, as text cells whose rows keep the line number that an editor shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from analysis.reading.cell_file import LINE, CellFile
from analysis.reading.columns import KNOWN_COLUMNS
from analysis.reading.header import Known
from analysis.reading.source import Expansion


@dataclass(frozen=True)
class Table:
    """A file as text cells without blanks around them.

    cells: one column per header name, all text; the index is the line number in the file (header = 1).
    sha256: of the file's bytes, size: how many there are.
    header_line: the header's line number. dialect: how the file is written, with "notes" on what is unusual about it.
    near: absent column → name in the file that may be a misspelling of it.
    """

    file: str
    sha256: str
    size: int
    cells: pd.DataFrame
    header_line: int
    dialect: dict[str, Any]
    near: Mapping[str, str]


def read_table(
    path: Path, known: Known | None = None, *, name: str | None = None, expansion: Expansion | None = None
) -> Table:
    """Read `path`; `name` is what messages call it (default: the file's own name).

    known: columns with the other names that a header may have for them (default: those of the bike-sharing table).
    Raises InputError naming line and column of what can't be read, or can be read in two ways; see CellFile.
    """
    columns = dict.fromkeys(KNOWN_COLUMNS, ()) if known is None else known
    file = CellFile(path, columns, name=name, expansion=expansion)
    batches = pa.Table.from_batches(file.batches())
    cells = batches.drop_columns([LINE]).to_pandas()
    cells.index = pd.Index(batches.column(LINE).to_numpy(), name="line")
    return Table(file.file, file.sha256, file.size, cells, file.header.line, file.dialect(), file.header.near)
