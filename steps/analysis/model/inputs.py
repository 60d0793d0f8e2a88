"""What rows have to be like for a model: the columns that it takes, and how they were prepared for it."""

from __future__ import annotations

from analysis.dataset.declaration import Dataset
from analysis.features.preparation import Preparation, preparation_from
from analysis.features.profiles import Profile, Variant, profile_of
from analysis.model.artefact import LinearModel
from analysis.runtime.errors import ModelError, SettingsError


def inputs_of(model: LinearModel, dataset: Dataset) -> tuple[Profile, Variant, Preparation]:
    """Return profile, variant and preparation of a model.

    Raises ModelError where the declaration does not give the model's columns any more.
    """
    prepared = model.preparation
    variant = Variant(**prepared.get("variant", {}))
    try:
        profile = profile_of(dataset, model.profile, variant)
    except SettingsError as error:
        raise ModelError(f"The model does not fit the declaration {dataset.name!r}: {error}") from error
    if profile.names != model.input_columns:
        raise ModelError(
            f"The model takes other columns ({', '.join(model.input_columns)}) than profile {profile.name!r} of the "
            f"declaration {dataset.name!r} has now. Train and approve a model with this declaration."
        )
    return profile, variant, preparation_from(prepared["learned"]) if "learned" in prepared else Preparation()
