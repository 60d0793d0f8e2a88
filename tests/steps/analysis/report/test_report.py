"""The run report as text: one well-formed file that loads nothing, says what the numbers say, and escapes the data."""

from __future__ import annotations

import json
import re
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from analysis.evaluation.paired import verdict
from analysis.evaluation.rows import labelled_rows
from analysis.model.archive import read_archive
from analysis.report import interpretation
from analysis.report.figures import Series, normal_quantiles, scatter, ticks
from analysis.report.interpretation import findings
from analysis.report.page import figure, report_html, templates
from pipeline.datasets.shipped import declared

BIKES = declared("bike_sharing")
_VOID = {"meta", "link", "br", "path"}


class Page(HTMLParser):
    """Elements with their attributes, and whether every one is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


def test_it_is_well_formed_and_accessible(trained) -> None:
    page = Page(trained.report)
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for target in (attributes.get("aria-labelledby") or "").split():
            assert target in ids
    assert all(attributes.get("scope") in {"col", "row"} for attributes in page.all("th"))
    assert all(link["href"][1:] in ids for link in page.all("a"))
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert len(page.all("svg")) == 4
    assert all(svg["role"] == "img" and svg["aria-labelledby"] for svg in page.all("svg"))
    assert page.all("html")[0]["lang"] == "en"


def test_it_loads_nothing(trained) -> None:
    assert not re.search(r"(src|href)=[\"'](?!#|data:)", trained.report)
    assert not re.search(r"https?://|@import|url\(|<script|<iframe", trained.report)


def test_everything_is_in_it(trained) -> None:
    for text in (
        *("Data quality", "Coefficients", "VIF", "Predicted against actual", "Residuals against predicted", "Q-Q plot"),
        *(
            "Daily rentals by interval",
            "The model in use",
            "In plain words",
            "OLS Regression Results",
            "Breusch-Pagan",
        ),
        *("identifier: names the day and says nothing about it", "light breeze", "Durbin-Watson", "Condition number"),
    ):
        assert text in trained.report, text
    summary = trained.document("data/summary.json")
    for entry in summary["coefficients"]:
        assert f'<th scope="row">{entry["name"]}</th><td>{figure(entry["coefficient"])}</td>' in trained.report


def test_it_says_what_an_r_squared_of_one_means(sample_runs) -> None:
    parity, forecast = sample_runs["parity"].report, sample_runs["forecast"].report
    assert "An R-squared of 1.000 is too good to be true" in parity
    assert "This is arithmetic, not a forecast" in parity
    assert "Published and reproduced figures" in parity
    assert "these tests mean nothing" in parity
    assert "too good to be true" not in forecast
    assert "Published and reproduced figures" not in forecast


def test_tests_that_suggest_a_problem_are_named(real_runs) -> None:
    evaluation, summary = real_runs["forecast"].evaluation, real_runs["forecast"].document("data/summary.json")
    problems = {
        finding.title: finding.text
        for finding in findings(evaluation, summary, BIKES.words)
        if finding.tone == "problem"
    }
    assert "Jarque-Bera" in problems["Errors are not normal"]
    assert "Breusch-Pagan" in problems["Errors are larger for some kinds of days"]
    assert "Ljung-Box" in problems["One error predicts the next"]
    assert "temp and atemp" in problems["Some columns carry the same information"]


DAYS_AND_BIKES = re.compile(
    r"\b(days?|dates?|daily|months?|bikes?|rentals?|calendar|weather|to come|over time|order of time|chronological|"
    r"rolling|refitted)\b",
    re.IGNORECASE,
)


def shown(page: str) -> str:
    """Return what readers see of a page, without the full table of statsmodels, which has the date of the run."""
    body = page.partition("<body>")[2]
    return re.sub(r"<pre>.*?</pre>|<[^>]*>", " ", body, flags=re.DOTALL)


@pytest.mark.parametrize("profile", ["forecast", "complete", "distinct"])
def test_the_report_of_wine_speaks_of_wines_alone(wine_runs, profile: str) -> None:
    page = Page(wine_runs[profile].report)
    assert page.open == []
    assert len(page.all("svg")) == 3
    text = shown(wine_runs[profile].report)
    assert DAYS_AND_BIKES.findall(text) == []
    for said in (
        *("Red wine quality: run report", "winequality-red.csv", "Rows", "wines", "points"),
        *("Predicted against actual", "Residuals against predicted", "Q-Q plot", "Durbin-Watson (order of rows)"),
        "How good it would be on later wines than those that it was trained on is not known. The rows have no time.",
        "Robust standard errors hold where errors are not equally large (HC1).",
        "Published and reproduced figures",
    ):
        assert said in text, said
    assert "Residuals over time" not in text
    assert "by interval" not in text


def test_the_findings_of_wine(wine_runs) -> None:
    run = wine_runs["complete"]
    found = findings(run.evaluation, run.document("data/summary.json"), declared("red_wine").words)
    said = {finding.title: finding.text for finding in found}
    assert said["It explains 36% of the ups and downs"].startswith(
        "R-squared on the 480 test wines, which the model had not seen, is 0.360; the other 64% have"
    )
    promise = said["The intervals keep their promise"]
    assert promise.startswith(
        "Of the 480 test wines, which the model had not seen, 94.6% are inside their 95% prediction"
    )
    assert "0.68" in said["It explains 36% of the ups and downs"]
    assert "points" in said["Better than guessing the mean"]
    assert "It does as well on new wines as on old ones" in said
    assert not [text for text in (*said, *said.values()) if DAYS_AND_BIKES.search(text)]
    assert not {
        "A random split flatters it",
        "One error predicts the next",
        "One error says nothing about the next",
    } & set(said)


@pytest.mark.parametrize(
    ("path", "value", "title"),
    [
        (("validation", "rolling", "intervals", "calibrated", "coverage"), 0.80, "The intervals miss their promise"),
        (("validation", "rolling", "intervals", "calibrated", "coverage"), 0.99, "The intervals miss their promise"),
        (("validation", "chronological", "r2"), -0.2, "The model is no better than a constant"),
        (("validation", "chronological", "r2"), 0.1, "A random split flatters it"),
        (("train", "r2"), 0.99, "It remembers more than it learned"),
        (("baseline", "rmse"), 1.0, "No better than guessing the mean"),
    ],
)
def test_words_follow_the_numbers(sample_runs, path, value, title) -> None:
    evaluation = promising(sample_runs["forecast"].evaluation)
    assert title not in {finding.title for finding in findings(evaluation, {}, BIKES.words)}
    block = evaluation
    for name in path[:-1]:
        block = block[name]
    block[path[-1]] = value
    assert title in {finding.title for finding in findings(evaluation, {}, BIKES.words)}


@pytest.mark.parametrize(
    ("rows", "coverage", "title"),
    [
        (120, 0.983, "The intervals keep their promise"),
        (120, 0.90, "The intervals miss their promise"),
        (2_000, 0.983, "The intervals miss their promise"),
        (2_000, 0.975, "The intervals keep their promise"),
    ],
)
def test_intervals_that_few_rows_miss_by_chance_are_no_problem(sample_runs, rows, coverage, title) -> None:
    evaluation = promising(sample_runs["forecast"].evaluation)
    figure = evaluation["validation"]["rolling"]
    figure["rows"] = rows
    figure["intervals"]["calibrated"]["coverage"] = coverage
    assert title in {finding.title for finding in findings(evaluation, {}, BIKES.words)}


def promising(evaluation: dict) -> dict:
    """Let the figures of days to come be those of a random split, whose intervals hold what they should."""
    validation = evaluation["validation"]
    random = validation["random"]
    random["intervals"]["calibrated"]["coverage"] = 0.95
    for name in ("chronological", "rolling"):
        validation[name] |= {**json.loads(json.dumps(random)), "refits": 1}
    return evaluation


def test_every_sentence_is_said_of_some_run_and_filled_in(sample_runs, monkeypatch) -> None:
    said: set[str] = set()

    class Sentences(dict):
        def __getitem__(self, name: str) -> dict[str, str]:
            said.add(name)
            return super().__getitem__(name)

    monkeypatch.setattr(interpretation, "_SENTENCES", Sentences(interpretation._SENTENCES))
    run, random = sample_runs["forecast"], Random(1)
    for _ in range(300):
        evaluation = run.evaluation
        summary = vary(evaluation, random)
        assert all("{" not in finding.title + finding.text for finding in findings(evaluation, summary, BIKES.words))
    about_the_past = {"past", "past_and_width"}
    assert said | about_the_past == set(interpretation._SENTENCES)
    assert not said & about_the_past


def test_whatever_is_found_of_wine_is_said_without_a_word_of_time(wine_runs) -> None:
    run, random, words = wine_runs["complete"], Random(2), declared("red_wine").words
    for _ in range(200):
        evaluation = run.evaluation
        summary = vary(evaluation, random, timed=False)
        for finding in findings(evaluation, summary, words):
            assert not re.search(r"[{}]|earlier|later", finding.title + finding.text), finding
            assert not DAYS_AND_BIKES.search(finding.title + finding.text), finding


def vary(evaluation: dict, random: Random, *, timed: bool = True) -> dict:
    """Put figures into an evaluation that call for other sentences; a summary of a fit likewise."""
    one = random.choice
    diagnostics, validation = evaluation["diagnostics"], evaluation["validation"]
    diagnostics["exact_fit"] = one([True, False])
    for test in (*diagnostics["train"].values(), *([diagnostics["in_order_of_time"]] if timed else [])):
        test["p"] = one([0.0001, 0.2])
    evaluation["leakage"] |= {"verdict": one(["pass", "known", "fail"]), "columns": ["a", "b"]}
    measured = [validation["random"]]
    if timed:
        validation["headline"] = one(["random", "chronological"])
        validation["chronological"]["r2"] = one([None, 0.1])
        validation["rolling"]["r2"] = one([None, 0.6])
        measured.append(validation["rolling"])
    validation[validation["headline"]] |= {"r2": one([-0.1, 0.5, 0.8]), "mape": one([None, 20.0])}
    for figures in measured:
        figures["intervals"]["classical"]["coverage"] = one([0.5, 0.95])
        figures["intervals"]["calibrated"] = {"coverage": one([0.5, 0.95, 1.0]), "mean_width": 9.0}
    evaluation["train"]["r2"] = one([0.5, 0.99])
    evaluation["baseline"]["rmse"] = one([1.0, 1e6])
    difference, before = {"rmse": one([-1.0, 0.0, 1.0])}, {"status": "compared", "version": 1, "same_split": False}
    sign = difference["rmse"]
    intervals = one([{"rmse": [sign - 2.0, sign + 2.0]}, {"rmse": [sign / 2, sign / 2]}, None])
    before |= {"verdict": verdict(intervals), "difference_intervals": intervals, "interval_level": 0.95}
    evaluation["previous_model"] = {**before, "difference": difference, "test": {"rmse": 100.0}}
    drifted = {"status": "compared", "threshold": 0.25, "drifted": one([[], ["temp", "hum"]])}
    evaluation["drift"] = {**drifted, "features": [{"feature": "temp", "psi": 1.25}]}
    entry = {"name": "temp", "vif": one([2.0, 7.0, 20.0]), "infinite_vif": False}
    return {"coefficients": [entry], "figures": {"condition_number": one([5.0, 50_000.0])}}


@pytest.fixture
def render(sample_runs):
    run = sample_runs["forecast"]
    archive = read_archive(run.root / "archive" / "model.tar.gz")
    sides = tuple(labelled_rows(run.root / "prepared" / side, side, archive.model, BIKES) for side in ("train", "test"))

    def again(quality: dict) -> str:
        return report_html(archive, sides, quality, run.evaluation, BIKES)

    return again, run.document("prepared/quality/quality.json")


@pytest.fixture
def render_with(sample_runs):
    """Render the page of an evaluation with other blocks."""
    run = sample_runs["forecast"]
    archive = read_archive(run.root / "archive" / "model.tar.gz")
    sides = tuple(labelled_rows(run.root / "prepared" / side, side, archive.model, BIKES) for side in ("train", "test"))
    quality = run.document("prepared/quality/quality.json")
    return lambda blocks: report_html(archive, sides, quality, {**run.evaluation, **blocks}, BIKES)


def test_the_same_run_gives_the_same_bytes(render, sample_runs) -> None:
    again, quality = render
    assert again(quality) == again(quality) == sample_runs["forecast"].report


def test_data_can_not_become_markup(render) -> None:
    again, quality = render
    nasty = "<script>alert(1)</script>\"'&.csv"
    quality["file"] = nasty
    quality["removed_columns"].append({"column": nasty, "action": "removed", "reason": nasty})
    quality["repairs"].append({"what": nasty, "rows": 1, "lines": [2]})
    page = again(json.loads(json.dumps(quality)))
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5
    assert Page(page).open == []


def test_the_page_says_how_the_file_is_written(render) -> None:
    again, quality = render
    assert "How the file is written" not in again(quality)
    assert "<li>Lines end in CR.</li>" in again({**quality, "notes": ["Lines end in CR."]})


def test_a_quality_report_of_an_older_version_still_renders(render) -> None:
    assert Page(render[0]({})).open == []


def drift_of(feature: str, label: str) -> dict:
    bins = [{"label": label, "training": 1.0, "file": 0.25}, {"label": "other", "training": 0.0, "file": 0.75}]
    figures = {"psi": 4.5, "chance": 0.2, "unseen": 0.125, "missing": 0.5, "missing_in_training": 0.0, "used": True}
    unused = {"feature": "holiday", **figures, "psi": 0.0, "used": False, "drifted": False, "bins": bins}
    return {
        "status": "compared", "reason": "", "threshold": 0.25, "rows": {"training": 500, "file": 60},
        "drifted": [feature], "features": [{"feature": feature, "drifted": True, "bins": bins, **figures}, unused],
    }  # fmt: skip


def test_drift_has_a_section(sample_runs, render_with) -> None:
    page = render_with({"drift": drift_of("temp", "<b>cold</b>")})
    assert Page(page).open == []
    text = shown(page)
    assert "60 days of this file beside the 500 that the model in use was trained on" in text
    assert "1,000 times: temp." in text
    assert "&lt;b&gt;cold&lt;/b&gt;" in page
    assert "The inputs are not as the model in use knows them" in text
    unchanged = drift_of("temp", "cold")
    unchanged["features"][0]["drifted"] = False
    page = render_with({"drift": {**unchanged, "drifted": []}})
    assert "1,000 times; none has." in shown(page)
    assert "no version is approved yet." in shown(
        render_with({"drift": {**unchanged, "status": "not compared", "reason": "no version is approved yet"}})
    )


def test_an_evaluation_of_an_older_version_has_no_section_on_drift(sample_runs, render_with) -> None:
    assert "drift" not in render_with({"drift": None, "previous_model": {"status": "none", "reason": "none"}})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.0, "0.0000"),
        (510, "510"),
        (12345.678, "12,345.68"),
        (-0.5, "\N{MINUS SIGN}0.5000"),
        (3.2e-12, "3.200e-12"),
    ],
)
def test_figures_of_tables(value, text) -> None:
    assert figure(value) == text


def test_ticks_are_round_and_inside() -> None:
    assert ticks(-130.0, 8600.0) == [0.0, 2000.0, 4000.0, 6000.0, 8000.0]
    assert ticks(-4e-12, 3e-12) == pytest.approx([-4e-12, -2e-12, 0.0, 2e-12])


@pytest.mark.parametrize(
    ("days", "texts"),
    [
        (1200.0, ["2020-03", "2021-07", "2022-12"]),
        (300.0, ["2020-03", "2020-06", "2020-10"]),
        (30.0, ["2020-01-06", "2020-01-16", "2020-01-26"]),
        (1.5, ["01-01 00:00", "01-01 12:00", "01-02 00:00", "01-02 12:00"]),
    ],
)
def test_ticks_of_time_are_told_apart(days, texts) -> None:
    x = date(2020, 1, 1).toordinal() + np.linspace(0.0, days, 50)
    plot = scatter([Series("points-test", x, x)], (0.0, 0.0), over_time=True)
    assert [text for _, text in plot.x_ticks] == texts


def test_quantiles_of_a_normal_sample_lie_on_the_line() -> None:
    expected, ordered = normal_quantiles(np.random.Generator(np.random.PCG64(1)).normal(5.0, 9.0, 4000))
    assert np.abs(expected - ordered)[100:-100].max() < 0.1


def test_figures_escape_their_texts_and_thin_out_many_points() -> None:
    many = np.arange(20_000, dtype=float)
    plot = scatter([Series("points-test", many, many)], (0.0, 1.0))
    svg = templates().get_template("scatter.svg.jinja").module.scatter(plot, "one", "<title>", "a & b", "<x>", "&y")
    assert "&lt;title&gt;" in svg
    assert "a &amp; b" in svg
    assert "&lt;x&gt;" in svg
    assert "&amp;y" in svg
    assert len(svg) < 40_000


def test_a_model_with_a_past_says_what_it_looks_back_on(lagged_run) -> None:
    page = lagged_run.report
    assert page.count('<h3 id="past-h">What the model looks back on</h3>') == 1
    assert "<strong>cnt_1</strong>: rentals of the day before; <strong>cnt_mean_7</strong>: mean daily rentals" in page
    assert "neither learned from nor predicted: 1." in page
    Page(page)
    evaluation = lagged_run.evaluation
    widths = lagged_run.document("model/model.json")["interval"]["calibration"]["by_gap"]
    assert evaluation["past"]["half_widths"] == widths
    assert [gap for gap, _ in widths][:6] == [0, 1, 2, 6, 13, 29]
    (said,) = [one.text for one in findings(evaluation, {}, BIKES.words) if one.title == "It looks back"]
    assert said.startswith("It uses rentals of the day before and mean daily rentals of the seven days before.")
    assert f"reaches {widths[0][1]:,.0f} rentals to either side, and {widths[-1][1]:,.0f} with a history gap of" in said
    evaluation["past"]["half_widths"] = []
    (said,) = [one.text for one in findings(evaluation, {}, BIKES.words) if one.title == "It looks back"]
    assert "interval" not in said


def test_a_model_without_a_past_says_nothing_of_it(trained) -> None:
    assert "past-h" not in trained.report
    assert "past" not in trained.evaluation
