"""A table reads the same in every dialect, and whatever can't be read is refused in words."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.reading.cell_file import LINE, CellFile
from analysis.runtime.errors import InputError

KNOWN: dict[str, tuple[str, ...]] = {"day id": (), "temp": ("temperature",), "share_of_x": (), "Note": ("remark",)}
MARKED = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff", "utf-8-sig": ""}


def read(path: Path, known: dict[str, tuple[str, ...]] | None = None) -> tuple[list[int], list[list[str]], CellFile]:
    """Return line numbers, rows of cells and the file."""
    file = CellFile(path, KNOWN if known is None else known, name="raw/x.csv")
    table = pa.Table.from_batches(file.batches())
    assert table.column_names == [LINE, *file.header.names]
    rows = zip(*(table.column(name).to_pylist() for name in file.header.names), strict=True)
    return table.column(LINE).to_pylist(), [list(row) for row in rows], file


def refusal(path: Path, known: dict[str, tuple[str, ...]] | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, known)
    assert all(problem.line is not None for problem in caught.value.problems)
    return caught.value


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    comma: bool
    encoding: str
    end: str
    header: str
    quoting: Any
    compressed: bool
    ends_in_delimiter: bool
    blanks: int
    last_end: bool

    def bytes_of(self, rows: list[list[str]]) -> bytes:
        written = [[self._number(cell) for cell in row] for row in rows]
        blank = [[""] * len(KNOWN)] * self.blanks
        more = [""] * self.ends_in_delimiter
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=self.delimiter, quoting=self.quoting, lineterminator=self.end)
        writer.writerows([*row, *more] for row in ([self._name(name) for name in KNOWN], *written, *blank))
        text = out.getvalue() if self.last_end else out.getvalue().removesuffix(self.end)
        data = (MARKED.get(self.encoding, "") + text).encode(self.encoding)
        return gzip.compress(data) if self.compressed else data

    def _name(self, name: str) -> str:
        changed = {"upper": name.upper(), "padded": f"  {name} ", "underscores": name.replace(" ", "_")}
        return changed.get(self.header, name)

    def _number(self, cell: str) -> str:
        whole, point, rest = cell.partition(".")
        return f"{whole},{rest}" if self.comma and point and (whole + rest).lstrip("-").isdigit() else cell


@st.composite
def dialects(draw: st.DrawFn) -> Dialect:
    delimiter = draw(st.sampled_from(",;\t|"))
    return Dialect(
        delimiter,
        draw(st.booleans()) and delimiter != ",",
        draw(st.sampled_from(["utf-8", *MARKED])),
        draw(st.sampled_from(["\n", "\r\n", "\r"])),
        draw(st.sampled_from(["as it is", "upper", "padded", "underscores"])),
        draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.integers(0, 2)),
        draw(st.booleans()),
    )


NUMBERS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e4, 1e4, allow_nan=False).map("{:.2f}".format),
)
TEXTS = st.text(alphabet='abÅß☃",;|.: 19', max_size=8).map(lambda text: f"a{text}".strip())
ROWS = st.lists(
    st.tuples(st.integers(1, 9**9).map(str), NUMBERS, NUMBERS | st.just(""), TEXTS | st.just("")).map(list),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, dialect=dialects())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_table_reads_the_same_in_every_dialect(tmp_path: Path, rows: list[list[str]], dialect: Dialect) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(dialect.bytes_of(rows))
    lines, cells, file = read(path)
    assert list(file.header.names) == list(KNOWN)
    assert cells == rows
    assert lines == [*range(2, 2 + len(rows))]
    said = file.dialect()
    assert said["delimiter"] == dialect.delimiter
    assert said["blank_lines"] == dialect.blanks
    assert (said["compression"] == "gzip") is dialect.compressed
    assert bool(said["decimal_commas"]) is (dialect.comma and any("." in cell for row in rows for cell in row[1:3]))


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    for known in (KNOWN, {}):
        try:
            read(path, known)
        except InputError as error:
            assert all(problem.line is not None for problem in error.problems)  # noqa: PT017 - nothing need be raised


@given(
    rows=ROWS,
    dialect=dialects(),
    edits=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(["insert", "delete", "cut"]), st.binary(max_size=3))),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, rows: list[list[str]], dialect: Dialect, edits: list[tuple[float, str, bytes]]
) -> None:
    data = dialect.bytes_of(rows)
    for where, edit, new in edits:
        at = round(where * len(data))
        data = {"insert": data[:at] + new + data[at:], "delete": data[:at] + data[at + 1 :], "cut": data[:at]}[edit]
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    try:
        read(path)
    except InputError as error:
        assert all(problem.line is not None for problem in error.problems)  # noqa: PT017 - nothing need be raised


def written(*lines: str, end: str = "\n") -> bytes:
    return end.join(["day id,temp,share_of_x,Note", *lines, ""]).encode()


def test_other_names_of_a_column_are_known(write) -> None:
    lines, cells, file = read(write("REMARK;Day ID;Temperature\nx;1;2\n"))
    assert file.header.names == ("Note", "day id", "temp")
    assert file.header.written == {"Note": "REMARK", "day id": "Day ID", "temp": "Temperature"}
    assert (lines, cells) == ([2], [["x", "1", "2"]])


@pytest.mark.parametrize(
    "name", ["Share of X", "SHARE-OF-X", "share.of.x", "shareofx", " share_of_x\u00a0", "Share_Of X"]
)
def test_names_are_known_however_their_words_are_divided(write, name: str) -> None:
    assert read(write(f"{name},temp\n1,2\n"))[2].header.names == ("share_of_x", "temp")


def test_without_known_columns_every_header_is_taken_as_it_is(write) -> None:
    assert read(write("A;b c\n1;2\n"), {})[2].header.names == ("A", "b c")


def test_a_header_below_a_long_blank_beginning(write) -> None:
    assert read(write(b",,\n" * 2_000_000 + b"day id,temp\n1,2\n"))[:2] == ([2_000_002], [["1", "2"]])


def test_blank_lines_before_the_header_and_a_line_that_names_the_delimiter(write) -> None:
    lines, cells, file = read(write("\n;;\nsep=;\nday id;temp\n1;2,5\n"))
    assert (lines, cells) == ([5], [["1", "2.5"]])
    assert "A line before the header names the delimiter." in file.dialect()["notes"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("line", "problems"),
    [
        ("1,2,3", [(3, "Note", "the line has 3 values, the header names 4 columns")]),
        ("1,2,5,3,x", [(3, "Note", "the line has 5 values, the header names 4 columns (a decimal comma")]),
        ('1,"2,5",3,"x\ny"', [(3, "Note", "a quoted cell has a line break inside")]),
        ('1,"2,5","3" or 4,x', [(3, "share_of_x", "the quotes are not balanced")]),
        ('1,"2,5","3,x', [(3, "share_of_x", "the quotes are not balanced")]),
        ('1,"2,5",\0,x', [(3, "share_of_x", "byte 0x00 is not text")]),
        ('"1","2,5","3","\x1b"', [(3, "Note", "byte 0x1b is not text")]),
    ],
)
def test_line_and_column_of_what_is_wrong(write, end: str, line: str, problems: list[tuple[int, str, str]]) -> None:
    error = refusal(write(written("1,2,3,x", line.replace("\n", end), "2,2,3,x", end=end)))
    assert [(problem.line, problem.column) for problem in error.problems] == [(at, name) for at, name, _ in problems]
    for problem, (_, _, says) in zip(error.problems, problems, strict=True):
        assert problem.message.startswith(says)


@pytest.mark.parametrize(("encoding", "says"), [("cp1252", "byte 0xe4 is not UTF-8"), ("utf-16", "is not UTF-16")])
def test_line_and_column_of_bytes_in_another_encoding(write, encoding: str, says: str) -> None:
    data = "day id,temp\r1,2\r2,\xe4\r3,4\r".encode(encoding)
    wrong = data if encoding == "cp1252" else data.replace("\xe4".encode("utf-16-le"), b"\x00\xd8")
    error = refusal(write(wrong))
    assert [(problem.line, problem.column) for problem in error.problems] == [(3, "temp")]
    assert says in str(error)


def test_lines_keep_their_number_after_a_cell_with_line_breaks(write) -> None:
    error = refusal(write(written('1,"2\n\n",3,x', "2,2,3", "3,2,3,x", "4,2,3")))
    assert [problem.line for problem in error.problems] == [2, 5, 7]


def test_a_cell_that_never_ends_is_refused_where_it_begins(write) -> None:
    error = refusal(write(written("1,2,3,x", '2,"2,3,x', *["3,2,3,x"] * 400_000)))
    assert [(problem.line, problem.column) for problem in error.problems] == [(3, "temp")]
    assert "quotes are not balanced" in str(error)


def test_a_line_that_never_ends_is_refused(write) -> None:
    assert "longer than" in str(refusal(write(b"day id,temp\n1," + b"2" * 4_000_000)))


def test_a_mistake_of_every_line_is_said_once(write) -> None:
    error = refusal(write(written(*["1,2,5,3,x"] * 5000)))
    assert len(error.problems) == 1
    assert "none of the first 5,000 lines is a row: the line has 5 values" in str(error)


def test_a_mistake_of_many_lines_is_said_once_and_counted(write) -> None:
    error = refusal(write(written("1,2,3,x", *["1,2,3"] * 5000)))
    assert [(problem.line, problem.column) for problem in error.problems] == [(3, "Note")]
    assert "the line has 3 values, the header names 4 columns (likewise lines 4, 5, 6 and 4996 more)" in str(error)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("times", [1, 5000])
def test_a_header_that_stands_in_the_file_again_is_one_mistake(write, end: str, times: int) -> None:
    text = written("1,2,3,x").decode()
    header = text.splitlines()[0]
    error = refusal(write(text.replace("\n", end) + f"{header}{end}" * times))
    assert [(problem.line, problem.column) for problem in error.problems] == [(3, None)]
    assert "the header stands here again; remove the line" in str(error)


def test_a_file_with_its_mark_behind_another_has_the_header_again(write) -> None:
    text = ",temp,Note\n1,2,x\n"
    error = refusal(write(f"{text}\ufeff{text}"))
    assert [(problem.line, problem.message) for problem in error.problems] == [
        (3, "the header stands here again; remove the line")
    ]


def test_a_million_empty_lines_are_counted_at_once(write) -> None:
    path = write(written("", "1,2,3,x").decode() + "\n" * 2_000_000 + "2,2,3,x\n")
    started = process_time()
    lines, _, file = read(path)
    assert process_time() - started < 1.0
    assert (lines, file.dialect()["blank_lines"]) == ([3, 2_000_004], 2_000_001)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("day id,Temprature,Note", "found 'Temprature', expected 'temp'"),
        ("day id,tmep,Note", "found 'tmep', expected 'temp'"),
        ("day id,temp,Notes", "found 'Notes', expected 'Note'"),
        ("Temprature,Notes", "found 'Temprature', expected 'temp'; found 'Notes', expected 'Note'"),
    ],
)
def test_a_near_miss_is_named_in_every_refusal(write, header: str, says: str) -> None:
    error = refusal(write(f"{header}\n1,2,3\n1\n"))
    assert says in str(error)
    assert error.problems[0].line == 1


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("temp,TEMP\n1,2\n", 1, "the header names this column twice, as 'temp' and 'TEMP'"),
        ("temp,x,x\n1,2,3\n", 1, "the header names this column twice"),
        ("Measured in May\n\nday id,temp\n1,2\n", 1, "line 3 looks like the header, so remove the lines above it"),
        ("day id,temp;Note\n1,2;3\n", 1, "the columns may be separated by commas or by semicolons"),
        ("temp," + ",".join(f"c{number}" for number in range(10_000)), 1, "the header names 10,001 columns"),
        ("sep=:\nday id:temp\n1:2\n", 1, "columns separated by ':' can't be read"),
        ('"day id,temp\n1,2\n', 1, "the quotes of the header are not balanced"),
        ("day id,temp,\n1,2,\n1,2,x\n", 3, "the cell has a value, but its column has no name"),
        ("day id,temp\n,\n", 2, "the file has a header but no rows"),
        (",,\n,,\n", 1, "the file is empty"),
        ("\0" * 9, 1, "byte 0x00 is not text"),
    ],
)
def test_what_is_no_table(write, text: str, line: int, says: str) -> None:
    error = refusal(write(text))
    assert [problem.line for problem in error.problems] == [line]
    assert says in str(error)


def test_a_header_that_only_case_divides_means_what_it_says(write) -> None:
    known = {"temp": (), "TEMP": ()}
    assert read(write("TEMP,temp\n1,2\n"), known)[2].header.names == ("TEMP", "temp")
    assert "not a header line" in str(refusal(write("Temp,x\n1,2\n"), known))


def test_batches_are_bounded(write) -> None:
    path = write(written(*[f"{number},2.5,3,x" for number in range(400_000)]))
    file = CellFile(path, KNOWN)
    sizes = [batch.num_rows for batch in file.batches()]
    assert sum(sizes) == 400_000
    assert max(sizes) < 250_000
    assert [batch.column(LINE)[0].as_py() for batch in file.batches()] == [
        2 + sum(sizes[:i]) for i in range(len(sizes))
    ]


def test_rows_divided_by_the_end_of_a_piece_are_whole(write) -> None:
    """Of quoted cells with line breaks near the end of a piece of the text, all are found."""
    rows = [f'{number},2.5,"a ""word"" ",x' for number in range(300_000)]
    lines, cells, _ = read(write(written(*rows)))
    assert lines[-1] == 300_001
    assert {row[2] for row in cells} == {'a "word"'}
