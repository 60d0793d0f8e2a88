"""The card of any declared table: what its texts may be, and what SageMaker takes."""

from __future__ import annotations

import json
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.dataset.declaration import Dataset, Noun
from pipedef.document.model_cards import CardKind, card_problems
from pipeline.datasets.shipped import dataset_names, declared
from pipeline.definition.bundle import Bundle
from pipeline.definition.model_card import model_card_fragments
from pipeline.settings.environment import load_settings
from pipeline.settings.names import ResourceNames

BUNDLE = Bundle("ab" * 32, b"", b"", b"")
#: As SageMaker fills in an execution; numbers are numbers, and texts are as long as they get.
EXECUTION = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/" + "p" * 256 + "/execution/abcdefghijkl"
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3000)


def card_of(dataset: Dataset) -> str:
    asked: list[str] = []

    def value(path: str) -> float:
        asked.append(path)
        return 0.5

    with mock.patch.object(ResourceNames, "declared", dataset):
        pieces = model_card_fragments(
            load_settings("local"), BUNDLE, profile="forecast", execution_arn=EXECUTION, evaluation_value=value
        )
    assert {path.split(".")[0] for path in asked} <= {"validation", "leakage"}
    return "".join(str(piece) for piece in pieces)


def changed(dataset: Dataset, text: str) -> Dataset:
    noun = Noun(one=text, many=text)
    words = replace(dataset.words, row=noun, target=text, unit=noun, use=text, limits=text)
    return replace(dataset, title=text, description=text, source=text, words=words)


@pytest.mark.parametrize("name", dataset_names())
def test_shipped_texts_are_not_cut(name: str) -> None:
    card = card_of(declared(name))
    assert list(card_problems(card, CardKind.PACKAGE)) == []
    assert "…" not in json.loads(card).__repr__()
    assert " ".join(declared(name).words.limits.split()) in json.loads(card)["intended_uses"].values()


@given(st.sampled_from(dataset_names()), texts)
def test_any_text_fits_into_its_field(name: str, text: str) -> None:
    assert list(card_problems(card_of(changed(declared(name), text)), CardKind.PACKAGE)) == []


@pytest.mark.parametrize("text", ["@use@ and @code@", "write to @user@server", '"@profile@"', "\\", '{"a": 1}'])
def test_texts_that_look_like_placeholders_are_texts(text: str) -> None:
    card = json.loads(card_of(changed(declared("red_wine"), text)))
    assert card["intended_uses"]["intended_uses"] == text


def test_only_the_first_letter_of_a_word_is_made_a_capital() -> None:
    dataset = declared("bike_sharing")
    words = replace(dataset.words, row=Noun(one="GPS fix", many="GPS fixes"))
    card = json.loads(card_of(replace(dataset, words=words)))
    assert card["evaluation_details"][0]["name"] == "GPS fixes to come: chronological hold-out"
