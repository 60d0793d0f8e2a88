"""Realised results as tables, one a profile, beside those of the predictions that they measure.

A row of a file is one outcome and one version's prediction of it. An outcome that was corrected is in two files: of the
same row and version the one with the latest ``known_at`` counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from analysis.features.labels import label_names
from analysis.publishing.places import REALISED as FOLDER
from analysis.runtime.names import REALISED
from pipeline.deploy.engine.resource import Resource
from pipeline.deploy.resources.prediction_tables import PredictionTable
from pipeline.settings.environment import Settings

_NUMBERS = ("prediction", "lower_95", "upper_95", "actual")


@dataclass(frozen=True)
class RealisedTable(PredictionTable):
    """The realised results of a profile as a table."""

    computed: ClassVar[Mapping[str, str]] = {name: "double" if name in _NUMBERS else "string" for name in REALISED}
    files: ClassVar[str] = FOLDER


def realised_tables(settings: Settings) -> list[Resource]:
    """Return the table of each declared profile."""
    dataset, bucket = settings.declared, settings.predictions_bucket
    labels = tuple(label_names(dataset).values())
    found: list[Resource] = []
    for profile in dataset.profiles:
        name = f"{settings.database_name}.realised_{profile.replace('-', '_')}"
        said = f"Outcomes that arrived later beside predictions of {dataset.words.target} (profile {profile})"
        one = f"{said}, one line a {dataset.words.row.one} and version"
        found.append(RealisedTable(name, one, labels, bucket=bucket, profile=profile))
    return found
