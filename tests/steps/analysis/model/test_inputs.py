"""What a model says of the rows that it takes, against the declaration that there is now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation
from analysis.features.profiles import Variant, profile_of
from analysis.model.artefact import LinearModel, read_model
from analysis.model.inputs import inputs_of
from analysis.runtime.errors import ModelError
from pipeline.datasets.shipped import declaration_file, declared
from pipeline.demo.sample import write_sample

BIKES, WINE = declared("bike_sharing"), declared("red_wine")


@pytest.fixture
def model(sample_runs) -> LinearModel:
    return read_model(sample_runs["forecast"].root / "model")


def without(dataset: Dataset, name: str) -> Dataset:
    columns = {other: column for other, column in dataset.columns.items() if other != name}
    return replace(dataset, columns=columns)


def test_a_model_takes_what_its_profile_has(model, sample_runs) -> None:
    profile, variant, learned = inputs_of(model, BIKES)
    assert profile == profile_of(BIKES, "forecast")
    assert variant == Variant()
    source = sample_runs["forecast"].document("prepared/train/source.json")
    assert learned.to_dict() == source["preparation"]
    assert set(learned.ranges) == {"yr", "holiday", "workingday", "temp", "atemp", "hum", "windspeed"}


def test_the_variant_travels_with_the_model(model) -> None:
    variant = Variant(first_levels=True, binned=True)
    names = profile_of(BIKES, "forecast", variant).names
    preparation = {**model.preparation, "variant": {"first_levels": True, "binned": True}}
    found = inputs_of(replace(model, input_columns=names, preparation=preparation), BIKES)
    assert (found[0].names, found[1]) == (names, variant)


def test_a_model_of_an_older_version_has_learned_nothing(model) -> None:
    assert inputs_of(replace(model, preparation={}), BIKES)[1:] == (Variant(), Preparation())


def test_a_declaration_with_other_columns_is_refused(model) -> None:
    with pytest.raises(ModelError, match=r"takes other columns \(.*windspeed.*\) than profile 'forecast'"):
        inputs_of(model, without(BIKES, "windspeed"))
    with pytest.raises(ModelError, match=r"'redwine'.*Train and approve a model with this declaration"):
        inputs_of(model, WINE)


def test_a_declaration_without_the_profile_is_refused(model) -> None:
    with pytest.raises(ModelError, match="does not fit the declaration 'redwine': There is no profile 'parity'"):
        inputs_of(replace(model, profile="parity"), WINE)


def test_a_file_is_not_prepared_for_a_model_of_another_table(sample_runs, call_script, tmp_path) -> None:
    done = call_script(
        "preprocess.py", "--purpose", "scoring", "--input-file", write_sample(tmp_path / "days.csv", rows=3),
        "--model-dir", sample_runs["forecast"].root / "archive", "--output-dir", tmp_path / "out", "--dataset",
        declaration_file("red_wine"),
    )  # fmt: skip
    assert done.code == 1
    assert "The model takes other columns" in done.message
    assert not (tmp_path / "out").exists()
