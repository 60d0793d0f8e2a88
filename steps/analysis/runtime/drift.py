"""The block `drift` of quality.json and evaluation.json, as those read it that have no library to compute it.

analysis/evaluation/drift.py makes the block, and says what is in it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from analysis.runtime.errors import DriftError
from analysis.runtime.metrics import Datum, datum, in_calls

Block = dict[str, Any]


def in_words(drift: Block) -> str:
    """Say in a line what has drifted."""
    if drift["status"] != "compared":
        return f"not compared: {drift['reason']}"
    rows, threshold = drift["rows"], f"{drift['threshold']:g}"
    if not drift["drifted"]:
        first = drift["features"][0]
        return f"none beyond {threshold} and chance; the largest PSI is {first['psi']:.3f} of {first['feature']}"
    named = ", ".join(f"{one['feature']} (PSI {one['psi']:.3f})" for one in _drifted(drift))
    return f"beyond {threshold} and chance, {rows['file']} rows against {rows['training']} training rows: {named}"


def refuse_drift(file: str, drift: Block) -> None:
    """Raise DriftError where a feature has drifted."""
    worst = next(_drifted(drift), None)
    if worst is None:
        return
    others = drift["drifted"][1:]
    changed = max(worst["bins"], key=lambda one: abs(one["file"] - one["training"]))
    also = f" So have {len(others)} others, such as {others[0]}." if len(others) > 1 else ""
    also = f" So has {others[0]}." if len(others) == 1 else also
    raise DriftError(
        f"{file}: {worst['feature']} has drifted from the training rows: its PSI is {worst['psi']:.2f}, above "
        f"{drift['threshold']:g}; {changed['label']!r} has {changed['file']:.1%} of the rows, and had "
        f"{changed['training']:.1%}.{also} Train a model on newer rows and approve it; or raise "
        "quality.drift_threshold, or set quality.drift_action to warn, and deploy."
    )


def _drifted(drift: Block) -> Iterator[Block]:
    return (one for one in drift["features"] if one["drifted"])


def summary(drift: Block) -> Block:
    """Return what a manifest says of it: the largest figures, and which features have drifted."""
    block = {name: drift[name] for name in ("status", "reason", "threshold", "drifted")}
    if drift["features"]:
        for figure in ("psi", "unseen", "missing"):
            largest = max(drift["features"], key=lambda one: one[figure])
            block[f"largest_{figure}"] = {"feature": largest["feature"], figure: largest[figure]}
    return block


def metric_data(drift: Block, pipeline: str) -> Iterator[Sequence[Datum]]:
    """Yield what PutMetricData takes, as many a call as it takes; nothing for a file that was not compared."""
    features = drift["features"]
    if drift["status"] != "compared" or not features:
        return
    of_run = [{"Name": "Pipeline", "Value": pipeline}]
    data = [
        datum("MaximumPsi", features[0]["psi"], of_run),
        datum("DriftedFeatures", float(len(drift["drifted"])), of_run, "Count"),
    ]
    for one in features:
        of_feature = [*of_run, {"Name": "Feature", "Value": _dimension(one["feature"])}]
        figures = {"Psi": one["psi"], "MissingShare": one["missing"], "UnseenShare": one["unseen"]}
        data += [datum(name, value, of_feature) for name, value in figures.items()]
    yield from in_calls(data)


def _dimension(name: str) -> str:
    """Return a name in the characters that CloudWatch takes: ASCII (Dimension in its API reference)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().strip()
    return plain or name.encode("ascii", "backslashreplace").decode()
