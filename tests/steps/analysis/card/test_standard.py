"""An organisation's standard: what it asks of a card, and how it says what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.card.declared import OWN_DETAILS, WRITTEN_IN
from analysis.card.standard import declared_problems, problems_of_card, read_standard
from analysis.runtime.errors import SettingsError
from pipeline.datasets.shipped import declared, standard_file, standard_names

BANK = read_standard(standard_file("model_risk"))
BIKES = declared("bike_sharing")
HEAD = 'title = "Ours"\nversion = "1"\n[owners]\ndevelopers = "All of it."\n'


def standard_of(tmp_path: Path, fields: str):
    path = tmp_path / "standard.toml"
    path.write_text(HEAD + fields, "utf-8")
    return read_standard(path)


def test_the_example_is_met_by_the_bike_table() -> None:
    assert standard_names() == ["model_risk"]
    assert declared_problems(BANK, BIKES) == []


def test_a_card_of_the_bank_has_its_fields_by_their_titles(sample_runs, evaluate_run, tmp_path) -> None:
    run = sample_runs["forecast"]
    evaluate_run(run.root, tmp_path, "--card-standard", standard_file("model_risk"))
    card = json.loads((tmp_path / "card.json").read_text("utf-8"))
    details = json.loads(card["content"])["additional_information"]["custom_details"]
    assert details["Standard"] == "Model risk management standard, 1.0 (example)"
    assert details["Model inventory number"] == "MRM-0275"
    assert details["Model tier"] == "3"
    assert problems_of_card(BANK, json.loads(card["content"])) == []
    assert details.keys() - {one.title for one in BANK.fields.values()} <= OWN_DETAILS


def test_all_that_is_missing_is_told_with_its_owner_and_place() -> None:
    wine = declared_problems(BANK, declared("red_wine"))
    assert (
        "model_id (Model inventory number; model owner): it is missing; "
        "write it in card.fields.model_id of the declaration" in wine
    )
    assert (
        "line_of_business (Line of business; model owner): it is missing; "
        "write it in card.line_of_business of the declaration" in wine
    )
    assert not [problem for problem in wine if "validation_conditions" in problem]  # it is not required
    assert not [problem for problem in wine if "code (" in problem]  # only a run knows it


@pytest.mark.parametrize("title", ["Profile", "Data", "Standard", "Model owner", "Git commit"])
def test_a_title_that_every_card_has_is_refused(title: str, tmp_path: Path) -> None:
    """The card's own text would stand there, whatever the declaration says."""
    with pytest.raises(SettingsError, match=rf"fields\.mine\.title: every card has {title!r}"):
        standard_of(tmp_path, f'[fields.mine]\ntitle = "{title}"\nowner = "developers"\n')


@given(st.sampled_from(sorted(BIKES.card.fields)))
def test_each_field_that_is_left_out_is_named(name: str) -> None:
    left = {key: text for key, text in BIKES.card.fields.items() if key != name}
    (problem,) = declared_problems(BANK, replace(BIKES, card=replace(BIKES.card, fields=left)))
    assert problem.startswith(f"{name} (")
    assert BANK.fields[name].owner in problem


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("tier", "4", "'4' is none of 1, 2, 3"),
        ("model_id", "275", "'275' does not match MRM-[0-9]{4}"),
        ("next_review", "next year", "does not match 20"),
        ("validation_outcome", "approved", "is none of Not validated yet, Approved, "),
    ],
)
def test_values_that_are_not_allowed(name: str, value: str, told: str) -> None:
    fields = {**BIKES.card.fields, name: value}
    (problem,) = declared_problems(BANK, replace(BIKES, card=replace(BIKES.card, fields=fields)))
    assert told in problem
    assert problem.startswith(f"{name} (")


def test_a_rating_that_nobody_gave_is_none(tmp_path) -> None:
    ours = standard_of(
        tmp_path,
        '[fields.risk]\ntitle = "Risk"\nowner = "developers"\nplace = "intended_uses.risk_rating"\n'
        'allowed = ["Low", "High"]\n',
    )
    unrated = replace(BIKES, card=type(BIKES.card)())
    (problem,) = declared_problems(ours, unrated)
    assert problem == (
        "risk (Risk; developers): 'Unknown' is none of Low, High; write it in card.risk_rating of the declaration"
    )


@pytest.mark.parametrize("place", sorted(WRITTEN_IN))
def test_every_place_is_one_that_the_declaration_fills(tmp_path, place: str) -> None:
    field = f'[fields.one]\ntitle = "One"\nowner = "developers"\nplace = "{place}"\n'
    assert declared_problems(standard_of(tmp_path, field), BIKES) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ('[fields.a]\ntitle = "A"\nowner = "nobody"\n', "fields.a.owner: 'nobody' is none of developers"),
        ('[fields.a]\ntitle = ""\nowner = "developers"\n', "fields.a.title: use 1 to 63 characters"),
        ('[fields.a]\ntitle = "A"\nowner = "developers"\npattern = "("\n', "fields.a.pattern: no regular expression"),
        ('[fields.a]\ntitle = "A"\nowner = "developers"\nplace = "x"\n', "fields.a.place: 'x' is none of intended_"),
        ('[fields.a]\ntitle = "A"\nowner = "developers"\nrequird = true\n', "fields.a.requird: unknown field"),
        ('[fields.a]\nowner = "developers"\n', "fields.a.title: is missing"),
        (
            "".join(f'[fields.{n}]\ntitle = "A"\nowner = "developers"\n' for n in "ab"),
            "fields.b.title: a has it, too",
        ),
        (
            "".join(f'[fields.f{n}]\ntitle = "F{n}"\nowner = "developers"\n' for n in range(61)),
            "fields: a card has room for 60 of them, not for 61",
        ),
        ("[fields", "standard.toml: "),
    ],
)
def test_impossible_standards(tmp_path, fields: str, told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        standard_of(tmp_path, fields)
    assert told in str(refused.value)


def test_a_card_that_lacks_a_field_fails_the_step_and_leaves_nothing(sample_runs, call_script, tmp_path) -> None:
    path = tmp_path / "standard.toml"
    path.write_text(
        HEAD + '[fields.commit]\ntitle = "Commit"\nowner = "developers"\npattern = "[0-9a-f]{40}"\n'
        'place = "additional_information.custom_details.Git commit"\n'
        '[fields.sponsor]\ntitle = "Sponsor"\nowner = "developers"\n',
        "utf-8",
    )
    root, out = sample_runs["forecast"].root, tmp_path / "out"
    folders = [
        word
        for name in ("train", "test", "scoring", "rows", "quality")
        for word in (f"--{name}-dir", root / "prepared" / name)
    ]
    done = call_script(
        "evaluate.py", "--model-dir", root / "archive", *folders, "--output-dir", out, "--card-standard", path,
        "--git-commit", "unknown",
    )  # fmt: skip
    assert done.code == 1
    assert "does not meet Ours, 1: 2 fields of it." in done.message
    assert "commit (Commit; developers): 'unknown' does not match [0-9a-f]{40}; it comes from the run" in done.message
    assert "write it in card.fields.sponsor of the declaration" in done.message
    assert not out.exists()


def test_a_standard_that_is_not_there_is_said(sample_runs, evaluate_run, tmp_path) -> None:
    with pytest.raises(SettingsError, match="standard for model cards can't be read"):
        evaluate_run(sample_runs["forecast"].root, tmp_path / "out", "--card-standard", tmp_path / "none.toml")
