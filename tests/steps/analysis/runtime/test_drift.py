"""What is said of drift, in a line and in a refusal."""

from __future__ import annotations

import pytest

from analysis.runtime.drift import in_words, metric_data, refuse_drift
from analysis.runtime.errors import DriftError


def feature(name: str, *, drifted: bool = True):
    bins = [{"label": "cold", "training": 0.75, "file": 0.125}, {"label": "warm", "training": 0.25, "file": 0.875}]
    return {"feature": name, "psi": 1.25, "drifted": drifted, "bins": bins}


def block(*drifted: str, others: tuple[str, ...] = ()):
    features = [*(feature(name) for name in drifted), *(feature(name, drifted=False) for name in others)]
    rows = {"training": 500, "file": 60}
    return {
        "status": "compared", "reason": "", "threshold": 0.25, "rows": rows, "drifted": [*drifted],
        "features": features,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("drifted", "also"),
    [
        (("temp",), ""),
        (("temp", "hum"), " So has hum."),
        (("temp", "hum", "wind"), " So have 2 others, such as hum."),
    ],
)
def test_the_refusal_names_the_worst_feature_its_bin_and_the_next_step(drifted, also) -> None:
    with pytest.raises(DriftError) as error:
        refuse_drift("raw/scoring/next.csv", block(*drifted))
    assert str(error.value) == (
        "raw/scoring/next.csv: temp has drifted from the training rows: its PSI is 1.25, above 0.25; 'cold' has 12.5% "
        f"of the rows, and had 75.0%.{also} Train a model on newer rows and approve it; or raise "
        "quality.drift_threshold, or set quality.drift_action to warn, and deploy."
    )


def test_a_file_without_drift_is_not_refused() -> None:
    refuse_drift("next.csv", block(others=("temp",)))
    assert in_words(block(others=("temp",))) == "none beyond 0.25 and chance; the largest PSI is 1.250 of temp"


def test_names_of_features_are_put_into_the_characters_that_cloudwatch_takes() -> None:
    drift = block("Größe", "湿度")
    for one in drift["features"]:
        one |= {"missing": 0.0, "unseen": 0.0}
    [data] = metric_data(drift, "pipeline")
    names = {item["Value"] for datum in data for item in datum["Dimensions"] if item["Name"] == "Feature"}
    assert names == {"Groe", "\\u6e7f\\u5ea6"}
