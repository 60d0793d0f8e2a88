"""What a model says of the rows that it takes, against the declaration that there is now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.card import registration
from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation
from analysis.features.profiles import Variant, profile_of
from analysis.model.artefact import Bounds, LinearModel, read_model
from analysis.model.inputs import inputs_of, never_known
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


def test_a_model_of_parts_of_the_target_needs_what_is_never_known_in_advance(model, sample_runs) -> None:
    assert never_known(model, BIKES) == ()
    parity = read_model(sample_runs["parity"].root / "model")
    assert never_known(parity, BIKES) == ("casual", "registered")
    assert never_known(parity, BIKES) == registration.never_known(profile_of(BIKES, "parity"), BIKES)
    # Also where the profile is gone from the declaration.
    others = {name: profile for name, profile in BIKES.profiles.items() if name != "parity"}
    assert never_known(parity, replace(BIKES, profiles=others, published=())) == ("casual", "registered")


def test_the_variant_travels_with_the_model(model) -> None:
    variant = Variant(first_levels=True, binned=True)
    names = profile_of(BIKES, "forecast", variant).names
    preparation = {**model.preparation, "variant": {"first_levels": True, "binned": True}}
    other = replace(model, input_columns=names, selected=(), bounds={}, ranges={})
    found = inputs_of(replace(other, preparation=preparation), BIKES)
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


@pytest.mark.parametrize("variant", [None, "x", [], {"a": 1}, {"binned": "yes"}, {"binned": []}, {"binned": 0}])
def test_a_damaged_variant_is_refused(model, variant: object) -> None:
    with pytest.raises(ModelError, match=r"variant of its profile can't be read .* Train again"):
        inputs_of(replace(model, preparation={**model.preparation, "variant": variant}), BIKES)


def test_a_model_that_scales_other_columns_than_its_profile_is_refused(model) -> None:
    bounds = {name: bound for name, bound in model.bounds.items() if name != "temp"}
    with pytest.raises(ModelError, match="does not scale what profile 'forecast' does: temp"):
        inputs_of(replace(model, bounds=bounds), BIKES)


def test_a_model_with_two_ranges_of_a_column_is_refused(model) -> None:
    ranges = {**model.ranges, "hum": replace(model.ranges["hum"], minimum=-7.0)}
    with pytest.raises(ModelError, match="two training ranges of hum"):
        inputs_of(replace(model, ranges=ranges), BIKES)


@pytest.mark.parametrize("placeholder", [-1.0, 120.0])
def test_a_placeholder_outside_of_the_values_is_no_second_range(model, placeholder: float) -> None:
    learned, values = model.preparation["learned"], model.ranges["hum"]
    preparation = {**model.preparation, "learned": {**learned, "fills": {"hum": placeholder}}}
    filled = Bounds(min(values.minimum, placeholder), max(values.maximum, placeholder))

    def ranging(bounds: Bounds) -> LinearModel:
        return replace(model, preparation=preparation, ranges={**model.ranges, "hum": bounds})

    for trained in (values, filled):
        assert inputs_of(ranging(trained), BIKES)[2].fills == {"hum": placeholder}
    for bounds in (values, filled):
        for other in (replace(bounds, minimum=bounds.minimum - 0.5), replace(bounds, maximum=bounds.maximum + 0.5)):
            with pytest.raises(ModelError, match="two training ranges of hum"):
                inputs_of(ranging(other), BIKES)


def test_a_file_is_not_prepared_for_a_model_of_another_table(sample_runs, call_script, tmp_path) -> None:
    done = call_script(
        "preprocess.py", "--purpose", "scoring", "--input-file", write_sample(tmp_path / "days.csv", rows=3),
        "--model-dir", sample_runs["forecast"].root / "archive", "--output-dir", tmp_path / "out", "--dataset",
        declaration_file("red_wine"),
    )  # fmt: skip
    assert done.code == 1
    assert "The model takes other columns" in done.message
    assert not (tmp_path / "out").exists()


def test_features_of_the_past_have_to_mean_what_they_meant(lagged_run) -> None:
    model = read_model(lagged_run.root / "model")
    assert inputs_of(model, BIKES)[0] == profile_of(BIKES, "forecast-lagged")
    changed = replace(BIKES, past=BIKES.past | {"cnt_1": replace(BIKES.past["cnt_1"], days_ago=7)})
    with pytest.raises(ModelError, match="mean something else in the declaration 'bikeshare' than when the model was"):
        inputs_of(model, changed)
