"""A declaration drafted from a file says what is in the file, and is one whatever is in it."""

from __future__ import annotations

import csv
import io
import random
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.dataset.columns import Kind, Missing
from analysis.dataset.declaration import MARKS, Repeated
from analysis.dataset.reading import dataset_from
from pipeline.datasets.draft import Draft, draft
from pipeline.datasets.files import check_file
from pipeline.errors import InputFileError

SHARED = Path(__file__).parents[4] / "shared" / "data"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a CSV file of named columns; its path."""

    def to_file(columns: dict[str, Sequence[Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        path = tmp_path / "table.csv"
        path.write_bytes(text.getvalue().encode(encoding))
        return path

    return to_file


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def reviews_of(drafted: Draft, column: str) -> str:
    """Return the comments above a column."""
    return drafted.text.partition(f"\n[columns.{column}]")[0].rpartition("\n\n")[2]


def kinds(drafted: Draft) -> dict[str, str]:
    return {name: column.kind.value for name, column in drafted.dataset.columns.items()}


N = 60
_RANDOM = random.Random(7)
NOISE = [round(_RANDOM.uniform(1, 9), 3) for _ in range(N)]
Y = [round(_RANDOM.uniform(100, 200), 2) for _ in range(N)]


def test_the_daily_table_is_understood() -> None:
    drafted = draft(shared("bike_sharing/day.csv"))
    found = drafted.dataset
    assert (found.name, found.target, found.parts) == ("day", "cnt", ("casual", "registered"))
    assert (found.key, found.time, found.repeated_rows) == (("dteday",), "dteday", Repeated.REFUSE)
    assert found.columns["dteday"].formats == {"standard": ("dd-mm-yy",)}
    assert kinds(drafted) == {
        "instant": "identifier",
        "dteday": "date",
        "season": "category",
        "yr": "count",
        "mnth": "category",
        "holiday": "flag",
        "weekday": "category",
        "workingday": "flag",
        "weathersit": "category",
        **dict.fromkeys(("temp", "atemp", "hum", "windspeed"), "measure"),
        **dict.fromkeys(("casual", "registered", "cnt"), "count"),
    }
    assert (found.columns["hum"].minimum, found.columns["hum"].maximum) == (0, 100)
    assert (found.columns["temp"].minimum, found.columns["temp"].maximum) == (0, 55)
    assert list(found.columns["mnth"].levels) == [str(month) for month in range(1, 13)]
    assert [(rule.column, rule.sum_of, rule.one_to_one, rule.equals) for rule in found.rules] == [
        ("cnt", ("casual", "registered"), "", ""),
        ("yr", (), "dteday.year", ""),
        ("mnth", (), "", "dteday.month"),
    ]


def test_the_wine_table_is_understood() -> None:
    drafted = draft(shared("wine_quality/winequality-red.csv"), name="wine")
    found = drafted.dataset
    assert (found.name, found.target, found.parts, found.key, found.time) == ("wine", "quality", (), (), None)
    assert found.repeated_rows is Repeated.KEEP
    assert "# review: 240 rows equal an earlier one" in drafted.text
    assert set(kinds(drafted).values()) == {"measure", "count"}
    assert found.columns["quality"].kind is Kind.COUNT


def test_an_hourly_table_is_understood(write: Write) -> None:
    """Two key columns, a real target, texts as levels, `?` for missing cells, in a European dialect."""
    chance = random.Random(1)
    rows = []
    for hour, station in ((hour, station) for hour in range(300) for station in ("West", "Ost", "Süd")):
        at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=7 * hour)
        temperature, wind = round(chance.uniform(-5, 20), 1), round(chance.uniform(0, 12), 1)
        load = round(100 + 3 * temperature + chance.gauss(), 3)
        row = [station, f"{at:%d.%m.%Y %H:%M}", at.hour, wind, temperature, round(temperature * 1.8 + 32, 2)]
        row += [chance.choice(("rain", "clear", "mist")), chance.choice(("large", "small", "medium")), load]
        rows.append([str(cell).replace(".", ",") if isinstance(cell, float) else cell for cell in row])
        for position in (3, 6, 8):
            if chance.random() < 0.04:
                rows[-1][position] = "?"
    names = ("Station", "Zeit", "hr", "Wind (m/s)", "°C", "°F", "sky", 'size "x"', "load")
    path = write(dict(zip(names, zip(*rows, strict=True), strict=True)), delimiter=";", encoding="utf-16")
    drafted = draft(path)
    found = drafted.dataset
    assert (found.target, found.key, found.time) == ("load", ("Zeit", "Station"), "Zeit")
    assert kinds(drafted) == {
        "Station": "category",
        "Zeit": "datetime",
        "hr": "category",
        "Wind (m/s)": "measure",
        "°C": "measure",
        "°F": "measure",
        "sky": "category",
        'size "x"': "category",
        "load": "measure",
    }
    assert found.columns["Zeit"].formats == {"standard": ("dd.mm.yyyy HH:MM",)}
    assert list(found.columns['size "x"'].levels) == ["small", "medium", "large"]
    assert found.columns["°F"].never_input == "it repeats another column: it is 1.8 * °C + 32"
    assert found.columns["°C"].minimum is not None
    assert found.columns["°C"].minimum < -5
    missing = {name: column.missing for name, column in found.columns.items() if column.missing is not Missing.REFUSE}
    assert missing == {"Wind (m/s)": Missing.FILL, "sky": Missing.FILL, "load": Missing.DROP}
    assert [(rule.column, rule.equals) for rule in found.rules] == [("hr", "Zeit.hour")]
    assert drafted.text.splitlines()[1].endswith("900 rows, 9 columns, separated by semicolons, with decimal commas.")
    assert check_file(found, path).problems == ()


@pytest.mark.parametrize(
    ("cells", "kind", "review"),
    [
        (range(1, N + 1), "identifier", "each row has a number of its own"),
        ([f"t{n}" for n in range(N)], "identifier", "each row has a text of its own"),
        (["a b c " * 20, *["x"] * (N - 1)], "text", "2 different texts are too many"),
        ([f"{n % 45} words" for n in range(N)], "text", "45 different texts are too many for levels"),
        (["yes", "no"] * 30, "category", "the first is the reference"),
        ([0, 1] * 30, "flag", "name its two values"),
        ([2, 5] * 30, "flag", "name its two values"),
        ([0, 1, 2] * 20, "category", "few whole numbers without a gap"),
        ([0, 1, 3] * 20, "count", "seen 0 to 3"),
        ([n * n % 97 for n in range(N)], "count", "seen 0 to 96"),
        ([-3, 1, 2] * 20, "measure", "seen -3 to 2"),
        (["007", "012", "100"] * 20, "category", "the first is the reference"),
        (["1e400", "1", "2"] * 20, "category", "the first is the reference"),
        ([7] * N, "count", "always 7"),
        (["x"] * N, "text", 'always "x"'),
        ([""] * N, "text", "no row has a value"),
        (["", *Y[1:]], "measure", "1 cell is missing; the median"),
        (["", *["a"] * 30, *["b"] * 29], "category", "1 cell is missing; the commonest level"),
        (["2023-02-01", "2023-02-11"] * 30, "date", "from 2023-02-01 to 2023-02-11"),
        ([f"2023-02-01T{n % 24:02}:30:00" for n in range(N)], "datetime", "from 2023-02-01 00:30:00 to"),
        ([f"2023-02-{n % 28 + 1:02}T06:00:00+02:00" for n in range(N)], "datetime", "from 2023-02-01 04:00:00 to"),
        ([f"2023-02-01 {n % 24:02}:30Z" for n in range(N)], "datetime", "as UTC"),
        (["20230201", "20230211"] * 30, "date", "from 2023-02-01"),
        (["01/02/2023", "03/02/2023"] * 30, "date", "can also be read as mm/dd/yyyy"),
        (["02/01/2023"] * 30 + ["02/03/2023"] * 30, "date", "can also be read as"),
        (["none"] * 50 + ["rain"] * 10, "category", "the first is the reference"),
        (["a"] * 30 + ["b"] * 28 + ["c", "c"], "category", 'rare: "c"'),
    ],
)
def test_the_kind_of_a_column(cells: Sequence[Any], kind: str, review: str, write: Write) -> None:
    drafted = draft(write({"x": cells, "noise": NOISE, "y": Y}))
    assert kinds(drafted)["x"] == kind
    assert review in reviews_of(drafted, "x")


def test_the_order_of_rows_tells_days_from_months(write: Write) -> None:
    days = [f"{(datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=7 * n)):%m/%d/%Y}" for n in range(12)]
    days = [day for day in days if int(day[3:5]) <= 12]
    path = write({"day": days, "y": Y[: len(days)]})
    assert draft(path).dataset.columns["day"].formats == {"standard": ("mm/dd/yyyy",)}


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ("Wed Mon Fri", "Mon Wed Fri"),
        ("very_high low medium", "low medium very_high"),
        ("10 9 1", "1 9 10"),
        ("b10 b9 a", "a b9 b10"),
        ("YES no", "no YES"),
        ("zebra Apple apple", "Apple apple zebra"),
    ],
)
def test_levels_stand_in_a_sensible_order(texts: str, order: str, write: Write) -> None:
    levels = [text.replace("_", " ") for text in texts.split()]
    columns = draft(write({"x": [f"{text}" for text in levels] * (N // len(levels)), "y": Y})).dataset.columns
    if columns["x"].levels:
        assert list(columns["x"].levels) == [text.replace("_", " ") for text in order.split()]
    else:
        assert columns["x"].kind is Kind.COUNT


def test_what_gives_the_answer_away_is_no_input(write: Write) -> None:
    groups = [n % 6 for n in range(N)]
    target = [round(Y[group] + 0.25, 2) for group in groups]
    columns = {
        "group": [f"g{group}" for group in groups],
        "cents": [round(value * 100) for value in target],
        "with noise": [round(value + noise, 3) for value, noise in zip(target, NOISE, strict=True)],
        "noise": NOISE,
        "target": target,
    }
    drafted = draft(write(columns))
    assert {name: column.never_input for name, column in drafted.dataset.columns.items() if column.never_input} == {
        "group": "it gives the answer away: each of its values goes with one value of the target",
        "cents": "it gives the answer away: it is 100 * target",
        "with noise": "it gives the answer away: it is target + noise",
    }
    assert drafted.dataset.inputs == ("noise",)


def test_what_says_the_same_is_said_once(write: Write) -> None:
    month = [n % 12 + 1 for n in range(120)]
    columns = {
        "month": month,
        "name": [f"m{one:02}" for one in month],
        "quarter": [f"q{(one - 1) // 3}" for one in month],
        "b": [*NOISE, *Y],
        "a": [*Y, *NOISE],
        "a + b": [round(a + b, 3) for a, b in zip([*Y, *NOISE], [*NOISE, *Y], strict=True)],
        "y": [round(_RANDOM.uniform(0, 1), 4) for _ in range(120)],
    }
    drafted = draft(write(columns))
    found = drafted.dataset.columns
    assert found["name"].never_input == "it repeats another column: each of its values goes with one value of month"
    assert found["a + b"].never_input == "it repeats other columns: it is b + a"
    assert "each value of month goes with one value of it" in reviews_of(drafted, "quarter")
    assert not found["quarter"].never_input
    assert [(rule.column, rule.sum_of, rule.severity.value) for rule in drafted.dataset.rules] == [
        ("a + b", ("b", "a"), "finding")
    ]


def test_three_parts_of_the_target_are_found(write: Write) -> None:
    parts = {name: [_RANDOM.randrange(1000) for _ in range(N)] for name in "abc"}
    drafted = draft(write({"total": list(map(sum, zip(*parts.values(), strict=True))), **parts}), target="TOTAL")
    assert (drafted.dataset.target, drafted.dataset.parts) == ("total", ("a", "b", "c"))
    assert {drafted.dataset.columns[name].kind for name in ("total", *"abc")} == {Kind.COUNT}
    # Nothing but answers is left, and rows are told apart all the same.
    assert drafted.dataset.known_before == ()


def test_more_parts_of_the_target_are_found(write: Write) -> None:
    parts = {name: [_RANDOM.randrange(1000) for _ in range(N)] for name in "abcdef"}
    other = [_RANDOM.randrange(1000) for _ in range(N)]
    total = list(map(sum, zip(*parts.values(), strict=True)))
    drafted = draft(write({**parts, "other": other, "total": total}))
    assert drafted.dataset.parts == tuple("abcdef")
    assert drafted.dataset.inputs == ("other",)
    assert [rule.sum_of for rule in drafted.dataset.rules] == [tuple("abcdef")]


def test_what_the_target_is_computed_from_is_no_input(write: Write) -> None:
    a, b, c = ([round(_RANDOM.uniform(0, 9), 2) for _ in range(N)] for _ in range(3))
    score = [round(0.25 * one - 2 * two + 3, 6) for one, two in zip(a, b, strict=True)]
    drafted = draft(write({"a": a, "b": b, "c": c, "score": score}))
    assert drafted.dataset.inputs == ("c",)
    assert drafted.dataset.columns["b"].never_input == "it gives the answer away: score is computed from a and b"


def test_flags_in_words_that_add_up_to_the_target_are_no_inputs(write: Write) -> None:
    flags = {name: [_RANDOM.choice((True, False)) for _ in range(N)] for name in ("fever", "cough", "pain", "rash")}
    symptoms = list(map(sum, zip(*flags.values(), strict=True)))
    drafted = draft(write({"smoker": ["yes", "no"] * 30, **flags, "symptoms": symptoms}))
    assert drafted.dataset.inputs == ("smoker",)
    why = "it gives the answer away: symptoms is computed from fever, cough, pain and rash"
    assert {drafted.dataset.columns[name].never_input for name in flags} == {why}
    assert kinds(drafted)["fever"] == "category"


def test_keys_of_three_columns_and_repeated_rows(write: Write) -> None:
    rows = [(f"s{a}", f"t{b}", f"u{c}") for a in range(5) for b in range(4) for c in range(3)]
    names = {name: [row[position] for row in rows] for position, name in enumerate("abc")}
    path = write({name: [*cells, cells[0]] for name, cells in {**names, "y": Y}.items()})
    drafted = draft(path)
    assert drafted.dataset.key == ("a", "b", "c")
    assert "# review: 1 rows equal an earlier one" in drafted.text
    assert drafted.dataset.repeated_rows is Repeated.DROP


def test_a_number_of_the_row_is_offered_as_key(write: Write) -> None:
    drafted = draft(write({"number": range(1, N + 1), "noise": NOISE, "y": Y}))
    assert drafted.dataset.key == ()
    assert '# review: key = ["number"] if later files go on with its numbers' in drafted.text


def test_unusual_marks_of_missing_cells(write: Write) -> None:
    columns: dict[str, list[Any]] = {
        "a": ["missing", *NOISE[1:]],
        "b": [-999 if n < 3 else value for n, value in enumerate(NOISE)],
        "c": [*Y[:-1], "?"],
        "y": Y,
    }
    drafted = draft(write(columns))
    assert drafted.dataset.missing_marks == (*MARKS, "-999", "missing")
    assert drafted.dataset.columns["b"].minimum == 0
    columns["c"] = [-999 + n for n in range(N)]
    assert draft(write(columns)).dataset.missing_marks == (*MARKS, "missing")


def test_a_level_named_none_is_a_level(write: Write) -> None:
    drafted = draft(write({"holiday": ["None"] * 50 + ["Easter"] * 10, "noise": NOISE, "y": Y}))
    assert "none" not in drafted.dataset.missing_marks
    assert list(drafted.dataset.columns["holiday"].levels) == ["Easter", "None"]


def test_a_column_may_be_called_as_jobs_call_their_own(write: Write) -> None:
    path = write({"line": NOISE, "y": Y})
    drafted = draft(path)
    assert list(drafted.dataset.columns) == ["line_", "y"]
    assert check_file(drafted.dataset, path).columns == {"line_": "line", "y": "y"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_dialect_gives_the_same_declaration(delimiter: str, encoding: str, write: Write) -> None:
    columns = {"ä, b;c|d": NOISE, "x\ty": ["a,b;c|d\te", "z"] * 30, "y": Y}
    first, *rest = draft(write(columns)).text.splitlines()[2:]
    assert draft(write(columns, delimiter=delimiter, encoding=encoding)).text.splitlines()[2:] == [first, *rest]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n", "has a header and no rows"),
        (b"a\n1\n", "is no table: its first line has no two names"),
        (b"1,2\n3,4\n", "has no header: its first line holds no names. Add a line of names."),
        (b'a,b\n1,2\n"3\n4",5\n', r":3: a quoted cell has a line break inside; put each row on one line."),
        (b"a,b\n1,2\n3\n", "3: the line has 1 values, the header 2 names"),
        (b"a,A\n1,2\n", "its columns 'a' and 'A' can't be told apart"),
        (b"a b,a_b\n1,2\n", "its columns 'a b' and 'a_b' can't be told apart"),
        (b"a,b\nx,\xff\n", "2: the text is not UTF-8"),
        (b"\xff\xfea,b", "the text is not UTF-16"),
        (b"PK\x03\x04\x00\x00a,b\n", "is no text: it has NUL characters"),
        (b'a,b\n1,"2\n', "is no CSV"),
        (b"a,b\nx,y\n", "has no column of different numbers"),
        (b"a,b\n1,2\n1,2\n", "has no column of different numbers"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputFileError) as caught:
        draft(path)
    assert message in caught.value.message
    assert "\n" not in caught.value.message


def test_names_and_targets_that_can_not_be_are_refused(write: Write) -> None:
    path = write({"size": ["a", "b"] * 30, "income": Y})
    with pytest.raises(InputFileError, match="'My table' is no name: use at most 20"):
        draft(path, name="My table")
    with pytest.raises(InputFileError, match="has no column 'incom'") as caught:
        draft(path, target="incom")
    assert caught.value.hint == "Did you mean 'income'?"
    with pytest.raises(InputFileError, match="'size' can't be predicted"):
        draft(path, target="size")
    with pytest.raises(InputFileError, match=r"nowhere\.csv can't be read: No such file"):
        draft(path.with_name("nowhere.csv"))


_HOSTILE = st.sampled_from(
    [
        *('"""', "'''", '"]', "\n[gate]\n", '"\nname = "x', "# review: ", "\\u0000", "\\", "a.b", "", " ", "=", "{"),
        *("é", "\x1b[31m", "\u2028", "\x85", "\x7f", "٣", "²", "line", "nan", "?", "-", "-1e308", "1e999"),
        *("1", "0", "2.5", "1,5", "2023-01-02", "01/02/03"),
    ]
)
_CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6) | _HOSTILE | st.integers().map(str)
_NAMES = _CELLS | st.builds("{}{}".format, st.sampled_from(["a", "b ", "columns."]), _CELLS)


@given(
    names=st.lists(_NAMES, min_size=1, max_size=5),
    pools=st.lists(st.lists(_CELLS, min_size=1, max_size=4), min_size=5, max_size=5),
    rows=st.integers(1, 40),
    delimiter=st.sampled_from(",;\t|"),
)
@example(names=[""], pools=[["0", "0,"], [""], [""], [""], [""]], rows=10, delimiter=";")
@example(names=[""], pools=[[""]] * 5, rows=3, delimiter="\t")
@example(names=["a", 'b"]\n[x]'], pools=[["1", "2"]] * 5, rows=20, delimiter=",")
def test_no_file_breaks_out_of_the_declaration(
    names: list[str], pools: list[list[str]], rows: int, delimiter: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow([*names, "y"])
        writer.writerows(
            [*(pool[row % len(pool)] for pool, _ in zip(pools, names, strict=False)), row * row] for row in range(rows)
        )
    try:
        drafted = draft(path)
    except InputFileError as error:
        refusal = error.message
        assert "no declaration could be drafted" not in refusal
        return
    document = tomllib.loads(drafted.text)
    assert dataset_from(document) == drafted.dataset
    assert set(document) <= {
        *("name", "title", "description", "source", "target", "parts", "key", "time", "repeated_rows"),
        *("missing_marks", "words", "columns", "rules", "profiles", "gate", "card"),
    }
    assert draft(path).text == drafted.text
    assert check_file(drafted.dataset, path).problems == ()


@pytest.mark.parametrize(
    ("rows", "refusal"),
    [
        (["a;y", *(f"{'0' if row % 2 else '0,'};{row * row}" for row in range(10))], None),
        (["a;y", *(f"{'1,234' if row % 2 else '2,5'};{row * row}" for row in range(10))], None),
        (["a;y", *(f"1,234;{row * row}" for row in range(10))], "may be a fraction or thousands"),
        ([";y", *(f";{row * row}" for row in range(3))], None),
        (["\ty", *(f"\t{row * row}" for row in range(3))], None),
        (["a,y", *(f"\x01,{row * row}" for row in range(9))], "would be refused by every run"),
    ],
)
def test_what_is_drafted_is_taken_by_every_run(tmp_path: Path, rows: list[str], refusal: str | None) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    if refusal is None:
        assert check_file(draft(path).dataset, path).problems == ()
    else:
        with pytest.raises(InputFileError, match=refusal):
            draft(path)
