"""What rows have to be like for a model: the columns that it takes, and how they were prepared for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from analysis.dataset.afterwards import known_afterwards
from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation, preparation_from
from analysis.features.profiles import Profile, Variant, candidates, past_of, profile_of
from analysis.model.artefact import LinearModel
from analysis.runtime.errors import ModelError, SettingsError


def inputs_of(model: LinearModel, dataset: Dataset) -> tuple[Profile, Variant, Preparation]:
    """Return profile, variant and preparation of a model.

    Raises ModelError where the declaration does not give the model's columns any more.
    """
    prepared = model.preparation
    try:
        variant = _variant_from(prepared.get("variant", {}))
        profile = profile_of(dataset, model.profile, variant)
    except SettingsError as error:
        raise ModelError(f"The model does not fit the declaration {dataset.name!r}: {error}") from error
    if profile.names != model.input_columns:
        raise ModelError(
            f"The model takes other columns ({', '.join(model.input_columns)}) than profile {profile.name!r} of the "
            f"declaration {dataset.name!r} has now. Train and approve a model with this declaration."
        )
    if prepared.get("past", {}) != past_of(profile, dataset):
        raise ModelError(
            f"Features of the past of profile {profile.name!r} mean something else in the declaration {dataset.name!r} "
            "than when the model was trained. Train and approve a model with this declaration."
        )
    learned = preparation_from(prepared["learned"]) if "learned" in prepared else Preparation()
    _refuse_other_bounds(model, profile, learned)
    return profile, variant, learned


def never_known(model: LinearModel, dataset: Dataset) -> tuple[str, ...]:
    """Return the columns that a model needs and that are never known in advance, such as parts of the target.

    Such a model can score no new row. Its input columns tell, whatever became of its profile since.
    """
    made = candidates(dataset, known_afterwards(dataset))
    made_of = (column.source for column in made if column.name in model.input_columns)
    return tuple(dict.fromkeys(made_of))


def _variant_from(document: Any) -> Variant:
    known = {field.name for field in fields(Variant)}
    if not isinstance(document, dict) or not all(
        name in known and (value is None or isinstance(value, bool)) for name, value in document.items()
    ):
        raise ModelError(f"The model's variant of its profile can't be read ({document!r:.40}). Train again.")
    return Variant(**document)


def _refuse_other_bounds(model: LinearModel, profile: Profile, learned: Preparation) -> None:
    """Refuse a model whose numbers would be scaled otherwise than in its training, or judged by another range."""
    scaled = set(profile.scaled) & set(model.selected)
    if scaled != set(model.bounds):
        names = ", ".join(sorted(scaled ^ set(model.bounds)))
        raise ModelError(f"The model does not scale what profile {profile.name!r} does: {names}. Train again.")
    for name, bounds in model.ranges.items():
        if name in learned.ranges and (bounds.minimum, bounds.maximum) not in _trained_ranges(name, learned):
            raise ModelError(f"The model has two training ranges of {name}. Train again.")


def _trained_ranges(name: str, learned: Preparation) -> Iterator[tuple[float, float]]:
    """Yield the ranges that a column can have had in training: of its values, and with what stood for empty cells."""
    low, high = learned.ranges[name]
    yield low, high
    fill = learned.fills.get(name)
    if isinstance(fill, int | float):
        yield min(low, fill), max(high, fill)
