"""What the registry keeps of a version as metadata."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest

from analysis.card.registration import never_known, scores_new_rows
from analysis.features.profiles import profile_of
from pipeline.datasets.shipped import declaration_file, declared

BIKES, WINE = declared("bike_sharing"), declared("red_wine")


@pytest.mark.parametrize(
    ("dataset", "profile", "expected"),
    [
        (BIKES, "forecast", "yes"),
        (BIKES, "parity", "no: casual registered"),
        # Rentals of the days before are known in advance.
        (BIKES, "forecast-lagged", "yes"),
        *((WINE, name, "yes") for name in WINE.profiles),
    ],
)
def test_which_models_score_new_rows(dataset, profile: str, expected: str) -> None:
    assert scores_new_rows(profile_of(dataset, profile), dataset) == expected


def test_columns_that_are_declared_as_known_afterwards() -> None:
    columns = dict(WINE.columns)
    columns["free sulfur dioxide"] = replace(columns["free sulfur dioxide"], known_afterwards=True)
    changed = replace(WINE, columns=columns)
    profile = profile_of(changed, "complete")
    assert never_known(profile, changed) == ("free sulfur dioxide",)
    found = scores_new_rows(profile, changed)
    assert found == "no: free_sulfur_dioxide"
    assert re.fullmatch(r"[\w .:/=+@-]{1,256}", found)


def test_what_a_run_leaves_for_the_registry(sample_runs) -> None:
    run = sample_runs["parity"]
    declaration = declaration_file("bike_sharing").read_bytes()
    assert run.evaluation["registration"] == {
        "data_sha256": run.document("prepared/quality/quality.json")["sha256"],
        "declaration_sha256": hashlib.sha256(declaration).hexdigest(),
        "scores_new_rows": "no: casual registered",
    }
