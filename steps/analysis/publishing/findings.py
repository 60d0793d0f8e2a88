"""How far to trust the predictions of a file, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.publishing.markup import foreign, joined
from analysis.publishing.observed import Observed
from analysis.publishing.version import DELETED
from analysis.publishing.words import Words, share
from analysis.runtime.names import HISTORY_GAP, NEW, TESTED, TRAINED

GOOD, NOTE, PROBLEM = "good", "note", "problem"
_MOST_NAMED = 10
_MANY = 0.1
"""Share of the rows from which an exception is a problem."""
_ENOUGH = 30
"""Rows from which their figures say something."""
_SLACK = 0.05
"""Between the share of values inside of intervals that is promised, and one that is worth a warning."""


@dataclass(frozen=True)
class Finding:
    """tone: good, note or problem."""

    tone: str
    title: str
    says: str
    """Text, or markup already."""


@dataclass(frozen=True)
class Expected:
    """What the version's evaluation says of rows that it has not seen. to_come: whether of later ones."""

    mae: float
    rmse: float
    r2: float
    coverage: float
    level: float
    rows: int
    to_come: bool


def expected_of(evaluation: Mapping[str, Any]) -> Expected | None:
    """Return the headline figures of an evaluation.json; None where it has none, as those of other registrars."""
    try:
        validation = evaluation["validation"]
        name = validation["headline"]
        figures = validation[name]
        return Expected(
            mae=float(figures["mae"]),
            rmse=float(figures["rmse"]),
            r2=float(figures["r2"]),
            coverage=float(figures["intervals"]["calibrated"]["coverage"]),
            level=float(validation["level"]),
            rows=int(figures["rows"]),
            to_come=name == "chronological",
        )
    except (KeyError, TypeError, ValueError):
        return None


def findings_of(
    manifest: Mapping[str, Any],
    words: Words,
    observed: Observed,
    expected: Expected | None,
    drift: Mapping[str, Any] | None,
) -> list[Finding]:
    """Return all that there is to say, problems first."""
    trusted = () if manifest["never_known"] else (_figures(words, expected), *_actual(words, observed, expected))
    found = [
        _status(manifest),
        *_no_forecast(manifest),
        *trusted,
        _outside(manifest, words, observed),
        *_gaps(manifest, words),
        _drift(words, drift),
        *_trained(manifest, words),
    ]
    order = [PROBLEM, NOTE, GOOD]
    return sorted(found, key=lambda one: order.index(one.tone))


def _status(manifest: Mapping[str, Any]) -> Finding:
    version = f"version {manifest['model_package_arn'].rpartition('/')[2]}"
    status = manifest["model_status"]
    if status == "Approved":
        return Finding(GOOD, "The model is approved", f"Somebody has approved {version} for use.")
    if status == "Rejected":
        return Finding(PROBLEM, "The model is rejected", f"Somebody has decided that {version} is not to be used.")
    if status == DELETED:
        return Finding(
            NOTE, "The model is gone", f"When the file was published, {version} was not in the registry any more."
        )
    says = f"When the file was published, the status of {version} was {status}: nobody had approved it for use."
    return Finding(NOTE, "The model is not approved", says)


def _no_forecast(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    if names := [*map(foreign, manifest["never_known"])]:
        parts = [
            "The model takes ",
            joined(names, ", "),
            ", known only when the outcome is: errors and intervals on this page say nothing of what is to come.",
        ]
        yield Finding(PROBLEM, "This is no forecast", joined(parts))


def _figures(words: Words, expected: Expected | None) -> Finding:
    if expected is None:
        says = "The registry names no evaluation of this version, so how large its errors are is not known."
        return Finding(NOTE, "No figures of this version", says)
    of = (
        f"{expected.rows:,} later {words.rows}"
        if expected.to_come
        else f"{expected.rows:,} {words.rows} drawn at random"
    )
    says = (
        f"On {of} that it had not seen, the typical error (MAE) was {words.amount(expected.mae)}, and "
        f"{share(expected.coverage)} of the actual values lay inside the {share(expected.level)} interval."
    )
    if not expected.to_come and words.time:
        says += f" What it is worth on later {words.rows} was not measured."
    if expected.coverage < expected.level - _SLACK:
        return Finding(NOTE, "Intervals were too narrow", says)
    return Finding(GOOD, "What to expect", says)


def _actual(words: Words, observed: Observed, expected: Expected | None) -> Iterator[Finding]:
    errors = observed.errors_of(TESTED, NEW)
    if errors is None or errors.rows < _ENOUGH:
        return
    level = 0.95 if expected is None else expected.level
    says = (
        f"{words.count(errors.rows)} of this file that the model was not trained on have actual values: the typical "
        f"error (MAE) is {words.amount(errors.mae)}, and {share(errors.coverage)} of them lie inside the interval."
    )
    if words.time and TESTED in observed.errors:
        says += f" Some lie among the {words.rows} that it was trained on, and say little of later ones."
    tone = PROBLEM if errors.coverage < level - _SLACK else GOOD
    title = "Intervals hold too few actual values" if tone == PROBLEM else "It is as good as it should be, here"
    yield Finding(tone, title, says)


def _outside(manifest: Mapping[str, Any], words: Words, observed: Observed) -> Finding:
    count, rows = manifest["extrapolated"], manifest["rows"]
    if count is None:
        says = "This version does not know its training ranges, so rows that lie outside of them are not marked."
        return Finding(NOTE, "Extrapolation is not known", says)
    if not count:
        says = f"The inputs of all {words.rows} lie inside the ranges that the model was trained on."
        return Finding(GOOD, "Nothing is extrapolated", says)
    tone = PROBLEM if count > _MANY * rows else NOTE
    names = [*map(foreign, observed.outside), *(["…"] if count > len(observed.outside) else [])]
    verb = "has an input" if count == 1 else "have inputs"
    parts = [
        f"{words.count(count)} of {rows:,} {verb} outside the ranges that the model was trained on (",
        joined(names, "; "),
        "). A straight line is drawn on beyond what was seen, and the interval does not know of that. ",
        "They are marked in the column extrapolated.",
    ]
    return Finding(tone, "Some predictions are extrapolated", joined(parts))


def _gaps(manifest: Mapping[str, Any], words: Words) -> Iterator[Finding]:
    gaps = manifest[HISTORY_GAP]
    if gaps is None:
        return
    if not gaps["rows"]:
        yield Finding(
            GOOD, "All earlier values are known", f"Every {words.row} has the newest values that it looks back on."
        )
        return
    says = (
        f"{words.count(gaps['rows'])} of {manifest['rows']:,} look back on values that were not known yet; the newest "
        f"known ones stand in, up to {gaps['largest']:,} {words.gaps_in} older. Their intervals are wider by what that "
        "costs."
    )
    yield Finding(NOTE, "Some earlier values are not known yet", says)


def _drift(words: Words, drift: Mapping[str, Any] | None) -> Finding:
    if drift is None or drift["status"] != "compared":
        why = f": {drift['reason']}" if drift else ""
        return Finding(NOTE, "Drift is not known", f"The file was not compared with the training {words.rows}{why}.")
    count = drift["rows"]["file"]
    if not drift["drifted"] and count < _ENOUGH:
        says = (
            f"{words.count(count)} {'is' if count == 1 else 'are'} too few to compare with the training {words.rows}."
        )
        return Finding(NOTE, "Drift is not known", says)
    if not drift["drifted"]:
        says = f"What the predictions depend on is distributed as in the training {words.rows}."
        return Finding(GOOD, "No drift", says)
    names = [*map(foreign, drift["drifted"][:_MOST_NAMED]), *(["…"] if len(drift["drifted"]) > _MOST_NAMED else [])]
    parts = [
        joined(names, ", "),
        f": distributed otherwise than in the training {words.rows}, and more than chance explains. ",
        "Errors may be larger than expected.",
    ]
    return Finding(PROBLEM, "The inputs have drifted", joined(parts))


def _trained(manifest: Mapping[str, Any], words: Words) -> Iterator[Finding]:
    count = manifest["row_roles"].get(TRAINED, 0)
    if count:
        says = (
            f"The model was fitted on {words.count(count)} of {manifest['rows']:,}: how close their predictions are "
            f"says little of new {words.rows}. The column row_role tells them from those that it had not seen."
        )
        yield Finding(NOTE, f"It was trained on {words.rows} of this file", says)
