"""The card of any version: what its numbers and declared texts may be, and what SageMaker takes."""

from __future__ import annotations

import json
import math
import re
from copy import deepcopy
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.card.build import Facts, package_card, within
from analysis.card.stand_alone import stand_alone
from analysis.card.texts import LARGEST_CARD, card_text, fitting, rounded
from analysis.dataset.card import Card, RiskRating
from analysis.dataset.declaration import Dataset, Noun
from analysis.dataset.reading import read_dataset
from analysis.evaluation.paired import compared
from analysis.evaluation.rows import LabelledRows
from analysis.model.archive import Archive, read_archive
from pipedef.document.model_cards import CardKind, card_problems
from pipeline.datasets.draft import draft
from pipeline.datasets.shipped import dataset_names, declaration_file, declared
from pipeline.demo.sample import write_sample

PACKAGE = {
    "ModelPackageArn": f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/{'g' * 63}/12",
    "ModelPackageGroupName": "g" * 63,
    "ModelPackageVersion": 12,
    "ModelPackageDescription": "d" * 1024,
    "ModelPackageStatus": "Completed",
    "ModelApprovalStatus": "PendingManualApproval",
    "ApprovalDescription": "r" * 1024,
    "Domain": "MACHINE_LEARNING",
    "Task": "REGRESSION",
    "InferenceSpecification": {
        "Containers": [{"Image": f"{'i' * 240}:1.9-0", "ModelDataUrl": f"s3://{'b' * 63}/models/model.tar.gz"}]
    },
}
FACTS = Facts(
    environment="local",
    project="bikeshare",
    execution_arn=f"arn:aws:sagemaker:eu-west-1:123456789012:pipeline/{'p' * 200}/execution/abcdefghijkl",
    training_job_arn=f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{'j' * 63}",
    model_data_uri="s3://bucket/models/abc/Train/job/output/model.tar.gz",
    image_uri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0",
    git_commit="ab" * 20,
    declaration_sha256="cd" * 32,
    scores_new_rows="yes",
)
#: Long, of any script, with quotes, control characters, line breaks and emoji.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.builds(
        lambda piece, times: piece * times,
        st.sampled_from(['"\\', "預測", "🚲\u200d🍷", "\x00\x1b\n", "a ", "ß\u0301", "</script>{{ x }}"]),
        st.integers(0, 5000),
    ),
)
NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**30), 10**30), st.just(math.nan))


@cache
def run_of(root: Path, dataset: str) -> tuple[Archive, LabelledRows, dict[str, Any]]:
    """Return what Evaluate has of a run: model, test rows, evaluation."""
    from analysis.evaluation.rows import labelled_rows

    archive = read_archive(root / "archive" / "model.tar.gz")
    test = labelled_rows(root / "prepared" / "test", "test", archive.model, declared(dataset))
    evaluation = json.loads((root / "evaluation" / "evaluation.json").read_text("utf-8"))
    return archive, test, evaluation


def refused(card: dict[str, Any]) -> list[str]:
    """Return what either schema refuses of a card, as the package's and on its own."""
    text, alone = card_text(card), card_text(stand_alone(card, PACKAGE))
    assert len(text) <= LARGEST_CARD
    assert len(alone) <= LARGEST_CARD
    assert not re.search("[\n\r\u0085\u2028\u2029]", text)  # AWS's pattern for a card is .*, of one line
    found = [*card_problems(text, CardKind.PACKAGE), *card_problems(alone, CardKind.STAND_ALONE)]
    return [str(problem) for problem in found]


def spoken(dataset: Dataset, text: str, count: int) -> Dataset:
    """Return a data set all of whose words are a text."""
    noun = Noun(one=text, many=text)
    words = replace(dataset.words, row=noun, target=text, unit=noun, use=text, limits=text)
    said = {one.name: text for one in fields(Card) if one.name not in {"risk_rating", "fields"}}
    card = Card(**said, risk_rating=RiskRating.HIGH, fields={f"{n} {text[:200]}": text for n in range(count)})
    return replace(dataset, title=text, description=text, source=text, words=words, card=card)


def with_other_numbers(document: Any, draw: st.DataObject) -> Any:
    """Return a part of an evaluation with other numbers, or none, in the places of its own."""
    if isinstance(document, dict):
        return {name: with_other_numbers(value, draw) for name, value in document.items()}
    if isinstance(document, list):
        return [with_other_numbers(value, draw) for value in document]
    if isinstance(document, float) and draw.draw(st.integers(0, 3)) == 0:
        return draw.draw(NUMBERS)
    return document


@pytest.mark.parametrize("profile", ["forecast", "parity"])
def test_the_card_of_a_run_fits_both_schemas(sample_runs, profile) -> None:
    content = sample_runs[profile].document("evaluation/card.json")["content"]
    card = json.loads(content)
    assert refused(card) == []
    assert "…" not in content
    headline, random, *others = [one["name"] for one in card["evaluation_details"]]
    assert headline == "Days to come: chronological hold-out"
    assert {random, *others} >= {"Random split: the registered model", "Plots", "Checks of the fit"}
    assert card["business_details"]["line_of_business"]
    assert card["intended_uses"]["risk_rating"] == "Low"


def test_figures_of_the_card_are_those_of_the_run(sample_runs) -> None:
    run = sample_runs["forecast"]
    card = json.loads(run.document("evaluation/card.json")["content"])
    for name, title in (("random", "Random split"), ("rolling", "rolling origin")):
        (shown,) = [one for one in card["evaluation_details"] if title in one["name"]]
        values = {one["name"]: one["value"] for one in shown["metric_groups"][0]["metric_data"]}
        found = run.evaluation["validation"][name]
        assert values["R-squared"] == pytest.approx(found["r2"], rel=1e-5)
        assert values["Mean absolute error (rentals)"] == pytest.approx(found["mae"], rel=1e-5)
        coverage = found["intervals"]["calibrated"]["coverage"]
        assert values["Share inside the calibrated interval"] == pytest.approx(coverage, rel=1e-5)


def test_plots_show_what_was_predicted(sample_runs) -> None:
    run = sample_runs["forecast"]
    archive, test, _ = run_of(run.root, "bike_sharing")
    card = json.loads(run.document("evaluation/card.json")["content"])
    (entry,) = [one for one in card["evaluation_details"] if one["name"] == "Plots"]
    plots = {one["name"]: one for one in entry["metric_groups"][0]["metric_data"]}
    predicted = archive.model.fitted(test.inputs)
    points = np.array(plots["Actual against predicted"]["value"])
    assert len(points) == 10
    assert points[:, 0].mean() == pytest.approx(predicted.mean(), rel=0.01)
    assert (np.diff(points[:, 0]) > 0).all()
    median = dict(map(tuple, plots["Quantiles of the error"]["value"]))[50]
    assert median == pytest.approx(float(np.median(test.actual - predicted)), rel=1e-5)
    months = plots["Mean absolute error by month"]
    assert months["x_axis_name"] == sorted(set(months["x_axis_name"]))
    low, middle, high = plots["Coefficients with their 95 % confidence interval"]["value"][0]
    assert low < middle < high
    shares = dict(
        zip(*(plots["Share inside the prediction interval"][part] for part in ("x_axis_name", "value")), strict=True)
    )
    assert shares["random split, calibrated"] == pytest.approx(
        run.evaluation["validation"]["random"]["intervals"]["calibrated"]["coverage"], rel=1e-5
    )


def test_a_table_without_time_speaks_of_no_days(wine_runs) -> None:
    content = wine_runs["forecast"].document("evaluation/card.json")["content"]
    assert refused(json.loads(content)) == []
    assert "to come" not in content
    assert "Mean absolute error by size of the prediction" in content
    assert "rental" not in content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, count=st.integers(0, 60), name=st.sampled_from(dataset_names()))
def test_any_declared_text_fits_into_its_field(sample_runs, text: str, count: int, name: str) -> None:
    archive, test, evaluation = run_of(sample_runs["forecast"].root, "bike_sharing")
    dataset = spoken(declared(name), text, count)
    assert refused(package_card(archive, test, evaluation, dataset, FACTS)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_any_number_is_shown_or_left_out(sample_runs, draw: st.DataObject) -> None:
    archive, test, evaluation = run_of(sample_runs["forecast"].root, "bike_sharing")
    changed = with_other_numbers(deepcopy(evaluation), draw)
    summary = with_other_numbers(deepcopy(archive.summary), draw)
    card = package_card(replace(archive, summary=summary), test, changed, declared("bike_sharing"), FACTS)
    assert refused(card) == []


def test_a_card_of_nothing_but_a_model_is_still_one(sample_runs) -> None:
    archive, test, _ = run_of(sample_runs["forecast"].root, "bike_sharing")
    card = package_card(replace(archive, summary={}), test, {}, declared("bike_sharing"), Facts())
    assert refused(card) == []
    assert [one["name"] for one in card["evaluation_details"]] == ["Plots"]


def test_a_declaration_without_card_gets_one_that_makes_sense(sample_runs, tmp_path) -> None:
    text = declaration_file("bike_sharing").read_text("utf-8")
    (tmp_path / "bare.toml").write_text(text.partition("[card]")[0], "utf-8")
    bare = read_dataset(tmp_path / "bare.toml")
    archive, test, evaluation = run_of(sample_runs["forecast"].root, "bike_sharing")
    card = package_card(archive, test, evaluation, bare, FACTS)
    assert refused(card) == []
    assert card["intended_uses"]["risk_rating"] == "Unknown"
    assert "business_details" not in card
    assert "Not to be used" not in card["intended_uses"]["intended_uses"]


def test_a_drafted_declaration_gets_a_card_that_fits(run_steps, tmp_path) -> None:
    table = write_sample(tmp_path / "wines.csv", rows=200, dataset=declared("red_wine"))
    drafted = draft(table)
    (tmp_path / "drafted.toml").write_text(drafted.text, "utf-8")
    run = run_steps(table, tmp_path / "run", "forecast", tmp_path / "drafted.toml")
    card = json.loads(run.document("evaluation/card.json")["content"])
    assert refused(card) == []
    assert card["intended_uses"]["risk_rating"] == "Unknown"
    assert card["additional_information"]["custom_details"]["Scores new rows"] == "yes"


def test_the_challenge_of_the_version_in_use(sample_runs) -> None:
    archive, test, evaluation = run_of(sample_runs["forecast"].root, "bike_sharing")
    block = {
        "status": "compared",
        "version": 7,
        "profile": "forecast",
        "test": {"r2": 0.8, "rmse": 800.0, "rows": 219},
        "difference": {"r2": 0.03, "rmse": -22.0},
        **compared(test.actual, test.actual + np.linspace(0.0, 100.0, test.actual.size), test.actual + 800.0),
        "same_split": False,
    }
    challenged = evaluation | {"previous_model": block}
    card = package_card(archive, test, challenged, declared("bike_sharing"), FACTS)
    assert refused(card) == []
    (entry,) = [one for one in card["evaluation_details"] if one["name"] == "Champion and challenger"]
    assert "Version 7" in entry["evaluation_observation"]
    assert "which would flatter it" in entry["evaluation_observation"]
    shown = {one["name"]: one for one in entry["metric_groups"][0]["metric_data"]}
    assert (shown["RMSE: version in use"]["value"], shown["RMSE: difference"]["value"]) == (800.0, -22.0)
    assert shown["Verdict"]["value"] == "better"
    low, high = block["difference_intervals"]["rmse"]
    assert f"{low:.4g} to {high:.4g}" in shown["RMSE: difference"]["notes"]
    few = challenged | {"previous_model": {**block, "difference_intervals": None}}
    without = json.dumps(package_card(archive, test, few, declared("bike_sharing"), FACTS))
    assert "paired bootstrap" not in without


def test_the_stand_alone_card_names_the_package_and_its_owner(sample_runs) -> None:
    package_content = json.loads(sample_runs["forecast"].document("evaluation/card.json")["content"])
    before = deepcopy(package_content)
    card = stand_alone(package_content, PACKAGE)
    assert package_content == before
    overview, details = card["model_overview"], card["model_package_details"]
    assert overview["model_version"] == details["model_package_version"] == 12
    assert overview["problem_type"] == "Regression"
    assert overview["model_owner"] == declared("bike_sharing").card.model_owner
    assert details["model_approval_status"] == "PendingManualApproval"
    assert "Problem type" not in card["additional_information"]["custom_details"]
    assert card["evaluation_details"] == before["evaluation_details"]


def test_a_card_that_is_too_long_loses_plots_before_words() -> None:
    metrics = [{"name": f"p{n}", "type": "bar_chart", "value": [1.5] * 500} for n in range(4)]
    card = {
        "intended_uses": {"purpose_of_model": "w" * 2000, "risk_rating": "Medium"},
        "evaluation_details": [{"name": "Plots", "metric_groups": [{"name": "Plots", "metric_data": metrics}]}],
    }
    shorter = within(deepcopy(card), 6000)
    assert len(card_text(shorter)) <= 6000
    assert shorter["intended_uses"] == card["intended_uses"]
    assert [one["name"] for one in shorter["evaluation_details"][0]["metric_groups"][0]["metric_data"]] == ["p0"]
    shortest = within(deepcopy(card), 400)
    assert "evaluation_details" not in shortest or shortest["evaluation_details"] == []
    assert shortest["intended_uses"]["purpose_of_model"].endswith("w…")
    assert shortest["intended_uses"]["risk_rating"] == "Medium"


@given(TEXTS, st.integers(2, 300))
def test_fitting_keeps_what_fits_and_marks_what_is_cut(text: str, longest: int) -> None:
    found = fitting(text, longest)
    assert len(found.encode("utf-16-le")) // 2 <= longest
    line = " ".join("".join(" " if one < " " or "\x7f" <= one < "\xa0" else one for one in text).split())
    assert found == line or (found.endswith("…") and line.startswith(found[:-1]))


@pytest.mark.parametrize(("value", "shown"), [(0.123456789, 0.123457), (10**30, 10**30), (True, None), ("1", None)])
def test_rounded(value: object, shown: object) -> None:
    assert rounded(value) == shown
    assert rounded(math.inf) is None


def test_a_version_that_can_score_nothing_new_says_so_first(sample_runs) -> None:
    archive, test, evaluation = run_of(sample_runs["forecast"].root, "bike_sharing")
    facts = replace(FACTS, scores_new_rows="no: casual registered")
    card = package_card(archive, test, evaluation, declared("bike_sharing"), facts)
    caveats = card["additional_information"]["caveats_and_recommendations"]
    assert caveats.startswith("It can score no new days: it takes casual and registered, which are never known")
    card = package_card(archive, test, evaluation, declared("bike_sharing"), FACTS)
    assert "can score no new" not in card["additional_information"]["caveats_and_recommendations"]
