"""The page beside a prediction file: what it says, and that nothing in a file can become markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.publishing.chart import ticks
from analysis.publishing.markup import element, text
from analysis.publishing.observed import Errors
from analysis.publishing.page import _errors
from analysis.publishing.words import figure, share, words_of
from tests.steps.analysis.publishing.pages import BIKES, EVALUATION, File, drift_of, feature

ELEMENTS = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "section", "figure"),
    *("figcaption", "h1", "h2", "h3", "p", "b", "bdi", "code", "dl", "dt", "dd", "div", "small", "ul", "li", "span"),
    *("svg", "desc", "path", "text", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "rel", "href", "class", "id", "role", "tabindex", "scope"),
    *("aria-label", "aria-labelledby", "viewbox", "d", "x", "y", "text-anchor"),
}
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), min_size=1, max_size=30)


class Read(HTMLParser):
    """What a browser would read: elements, attributes, and the texts between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def says(self) -> str:
        """All texts in their order."""
        return re.sub(r"\s+", " ", " ".join(self.texts))


def test_it_says_what_was_predicted_by_whom_and_how_far_to_trust_it() -> None:
    drift = drift_of(feature("temp", 1.2, unseen=0.3), feature("hum", 0.01))
    document = {"rows": {"read": 61, "used": 60}, "drift": drift}
    file = File(marks=("0", "0", "0", "1"), gap=3, status="PendingManualApproval", document=document)
    says = Read(file.html()).says
    for part in (
        "next-month.csv", "60 days, predicted by version 7 of the model (not approved yet)", "2026-03-04 05:06:07 UTC",
        "Problem", "15 days of 60 have inputs outside", "2026-01-04 ; 2026-01-08", "The inputs have drifted temp",
        "20 days of 60 look back on values that were not known yet", "up to 3 days older",
        "typical error (MAE) was 611 rentals",
        "95.9 % of the actual values", "nobody had approved it", "61 read, 60 used", "It knows two years of one city.",
        "temp 1.200 0.100 30 %",
    ):  # fmt: skip
        assert part.lower() in says.lower(), part
    assert "Beside the actual values" not in says


def test_actual_values_are_set_beside_predictions() -> None:
    says = Read(File(rows=400, known=True).html()).says
    assert "400 days of this file that the model was not trained on have actual values" in says
    assert "Days that it had not seen 400" in says
    trained = Read(File(rows=400, known=True, role="train").html()).says
    assert "that the model was not trained on" not in trained
    assert "The model was fitted on 400 days of 400" in trained
    assert "Days that it was trained on 400" in trained


def test_a_model_that_needs_what_nobody_knows_in_advance_is_no_forecast() -> None:
    evaluation = {**EVALUATION, "registration": {"scores_new_rows": "no: casual registered"}}
    file = File(rows=400, known=True, role="test", evaluation=evaluation)
    says = Read(file.html()).says
    assert "problem This is no forecast" in says
    assert "casual , registered" in says
    for claim in ("It is as good as it should be", "What to expect", "Expected error"):
        assert claim not in says
    assert file.scored().manifest["never_known"] == ["casual", "registered"]
    assert File().scored().manifest["never_known"] == []


def test_rows_among_those_that_it_was_trained_on_are_told_from_later_ones() -> None:
    among = "among the days that it was trained on, and say little of later ones"
    assert among in Read(File(rows=400, known=True, role="test").html()).says
    assert among not in Read(File(rows=400, known=True, role="new").html()).says
    assert "and say little of" not in Read(File(rows=400, known=True, role="test", words={}).html()).says


def test_an_error_that_is_noise_of_the_arithmetic_is_zero() -> None:
    words = [cell for cell in Read(File(rows=400, known=True).html()).says.split() if "e-" in cell]
    assert not [cell for cell in words if cell[:1].isdecimal()]
    assert _errors("x", Errors(rows=2, absolute=8.0, squared=32.0, signed=-1e-12))[4] == "0"


@pytest.mark.parametrize(("rows", "says"), [(1, "1 day is"), (29, "29 days are"), (30, "No drift")])
def test_a_few_rows_do_not_show_that_nothing_has_drifted(rows: int, says: str) -> None:
    drift = {**drift_of(feature("temp", 0.1)), "rows": {"training": 510, "file": rows}}
    read = Read(File(rows=rows, document={"drift": drift}).html()).says
    assert says in read
    assert ("No drift" in read) == (rows >= 30)
    assert "1 days" not in read


def test_rows_without_a_key_are_named_by_their_lines() -> None:
    says = Read(File(names=("town", "record", "line"), marks=("0", "1"), cell="ab12").html()).says
    assert "( ab12, line ab12 ; " in says
    assert "ab12, line ab12" not in Read(File(names=("town", "line"), marks=("0", "1"), cell="ab12").html()).says


def test_nothing_is_said_of_who_approved_a_version_that_is_gone() -> None:
    says = Read(File(status="Deleted").html()).says
    assert "nobody had approved it" not in says
    assert "was not in the registry any more" in says


def test_nothing_is_said_of_a_version_without_figures() -> None:
    says = Read(File(evaluation={}, words={}, status="Deleted").html()).says
    assert "how large its errors are is not known" in says
    assert "60 rows, predicted by version 7 of the model (deleted)" in says
    assert Read(File(evaluation={"validation": {"headline": "random"}}).html()).says.count("Expected error") == 0


@pytest.mark.parametrize("rows", [1, 2, 60, 61, 3000])
@pytest.mark.parametrize("timed", [True, False])
def test_the_chart_is_drawn_of_any_number_of_rows(rows: int, timed: bool) -> None:
    words = {**BIKES, "time": "date" if timed else ""}
    html = File(rows=rows, known=True, marks=("0",) * 5 + ("1",), words=words).html()
    assert html.count("<svg") == 2
    assert len(html) < 100_000
    assert not re.search(r'"[^"]*\b(nan|inf)\b[^"]*"', html)
    says = Read(html).says
    if rows > 1:
        assert ("in the order of their times" in says) == timed
        assert ("lowest first" in says) == (not timed)
    assert says.count("2026-01-01") >= 2 * timed


@pytest.mark.parametrize("scale", [0.0, 1e-300, 1e-9, 1.0, 1e12, 1e307, -5.0])
def test_the_chart_is_drawn_of_values_of_any_size(scale: float) -> None:
    html = File(scale=scale, known=True).html()
    assert not re.search(r'd="[^"]*(nan|inf)', html)


def test_the_same_file_gives_the_same_bytes() -> None:
    assert File(rows=500, known=True).html() == File(rows=500, known=True).html()


HOSTILE = '</title></style><script>alert(1)</script><img src=x onerror=alert(2)>" onload="x\' &amp; \u202e\x1b'


@pytest.mark.parametrize("where", ["key", "cell", "feature", "word", "reason", "status"])
def test_nothing_in_a_file_becomes_markup(where: str) -> None:
    _page_is_safe(where, HOSTILE.replace(",", ""))


@given(NAMES, st.sampled_from(["key", "cell", "feature", "word"]))
def test_whatever_it_is_called_it_is_text(name: str, where: str) -> None:
    _page_is_safe(where, name.replace(",", "").replace('"', "'"))


def _page_is_safe(where: str, name: str) -> None:
    drift = drift_of(feature(name if where == "feature" else "temp", 2.0))
    if where == "reason":
        drift = {**drift, "status": "not compared", "reason": name}
    quoted = name.replace('"', '""')
    file = File(
        rows=3,
        key=f"raw/scoring/{name}.csv" if where == "key" else "raw/scoring/x.csv",
        cell=f'"{quoted}"' if where == "cell" else "",
        marks=("1",),
        words={**BIKES, **({"rows": name, "target": name, "title": name} if where == "word" else {})},
        status=name if where == "status" else "Approved",
        document={"drift": drift},
    )
    html = file.html()
    read = Read(html)
    assert read.open == []
    assert read.elements <= ELEMENTS
    assert {key for key, _ in read.attributes} <= ATTRIBUTES
    assert {value for key, value in read.attributes if key == "href"} == {"data:,"}
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f]", html)
    assert not re.search(r"url\(|@import", html.partition("<style>")[2].partition("</style>")[0])


def test_markup_is_made_of_texts_and_elements_only() -> None:
    assert element("p", "<a>", element("b", "&"), class_='"') == '<p class="&quot;">&lt;a&gt;<b>&amp;</b></p>'
    assert text(text("<")) == "&lt;"


def test_numbers_are_written_for_people() -> None:
    assert [figure(value) for value in (None, 0.0, 1234567.8, 12.3456, -0.5, -1e20, 3, 2e-7)] == [
        "\N{EN DASH}", "0", "1,234,568", "12.35", "\N{MINUS SIGN}0.5", "\N{MINUS SIGN}1e+20", "3", "2e-07",
    ]  # fmt: skip
    assert [share(value) for value in (0.0, 0.0001, 0.5, 0.9999, 1.0)] == [
        "0 %", "under 0.1 %", "50 %", "over 99.9 %", "100 %",
    ]  # fmt: skip
    assert words_of({"words": {"row": "day", "rows": "days", "other": 1}}).count(1) == "1 day"
    assert words_of({"words": None}).count(2) == "2 rows"


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_ticks_are_inside_and_not_too_many(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    span = max(abs(low), abs(high)) * 1e-6
    assert len(found) <= 14
    assert all(low - span <= tick <= high + span for tick in found)
