"""Both ways of dividing lines give what the csv module gives."""

from __future__ import annotations

import csv

from hypothesis import example, given
from hypothesis import strategies as st

from analysis.reading.header import Header
from analysis.reading.rows import Rows, _by_arrow, _by_csv, _quoted_cells, parsed

HEADER = Header(1, ",", declared=False, names=("a", "b"), width=2, written={}, near={})
LINES = st.lists(st.text(alphabet='x1,"\u00a0 \ufeff', max_size=12), min_size=1, max_size=6)
CELLS = st.lists(st.tuples(*[st.text(alphabet='xy," \u00e9', max_size=4)] * 2), min_size=1, max_size=6)


def cells_of(rows: Rows) -> list[tuple[int, list[str]]]:
    found = zip(rows.lines.to_pylist(), *(column.to_pylist() for column in rows.columns), strict=True)
    return [(line, [text.strip() for text in cells]) for line, *cells in found]


@given(lines=LINES)
@example(lines=["", "\ufeff,"])
def test_whatever_is_read_is_what_the_csv_module_reads(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    rows = parsed(text.encode(), 2, HEADER, last=True)
    if rows.ends:
        assert rows.problems.count
        return
    reader = csv.reader(text.splitlines(keepends=True), strict=True, skipinitialspace=True)
    expected, taken = [], 0
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if len(cells) == 2 and reader.line_num - taken == 1 and any(stripped):
            expected.append((2 + taken, stripped))
        taken = reader.line_num
    assert cells_of(rows) == expected
    assert len(expected) + rows.blank + rows.problems.count <= len(lines)


@given(cells=CELLS, quoted=st.booleans())
def test_arrow_and_the_csv_module_read_quoted_cells_alike(cells: list[tuple[str, str]], quoted: bool) -> None:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if quoted or set(text) & set(',"') else text

    block = "".join(f"{cell(first)},{cell(second)}\n" for first, second in cells).encode()
    assert _quoted_cells(",").fullmatch(block)
    by_csv = _by_csv(block, 2, HEADER, last=True)
    assert by_csv.problems.count == 0
    assert cells_of(_by_arrow(block, 2, HEADER)) == cells_of(by_csv)


def test_text_in_which_a_cell_is_open_waits_for_more() -> None:
    rows = parsed(b'1,2\n3,"4\n', 2, HEADER, last=False)
    assert (cells_of(rows), rows.rest, rows.problems.listed()) == ([(2, ["1", "2"])], b'3,"4\n', [])
    more = parsed(rows.rest + b'5"\n6,7\n', 3, HEADER, last=False)
    assert cells_of(more) == [(5, ["6", "7"])]
    assert [(problem.line, problem.column) for problem in more.problems.listed()] == [(3, "b")]
