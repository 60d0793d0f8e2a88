"""Join outcomes with what was predicted for the same rows before these were known.

Pure functions of what was published: whoever computes an upload's result, and whenever, gets the same. What is decided
here:

- A prediction counts where its row had no outcome in that file and was new to the model, and where it was published
  before the first upload with an outcome of the row. No prediction is measured by what was known when it was made.
- Of a version's predictions of a row only the last one counts, whichever files they are in.
- An outcome that says again what the newest upload before it said is not counted again; one that says something else
  is, and replaces the older figure (:mod:`analysis.realised.settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple


class Outcome(NamedTuple):
    """A row of a file whose target is known. key: what names it in every file; labels: the cells by which it is known.

    Both as they stand in prediction files.
    """

    key: str
    labels: tuple[str, ...]
    actual: str


class Predicted(NamedTuple):
    """A row of a prediction file; `actual` is empty where it was not known, `new` says whether no model knew it."""

    key: str
    prediction: str
    lower: str
    upper: str
    actual: str
    new: bool


class Moment(NamedTuple):
    """When a file was uploaded; the identity tells files of the same moment apart, in an order that is always the same.

    S3 gives moments in whole seconds.
    """

    uploaded_at: str
    identity: str


@dataclass(frozen=True)
class Source:
    """A prediction file, as its manifest describes it; execution and key as they stand in it.

    predicted_at: when it was published, in whole seconds, as S3 gives moments of uploads. first, last: the smallest and
    the largest text in its first column, which two files of the same row have in common. known, unknown: how many rows
    have an outcome, and how many are new and have none.
    """

    table: str
    profile: str
    version: str
    execution: str
    key: str
    moment: Moment
    predicted_at: str
    first: str
    last: str
    known: int
    unknown: int


class Realised(NamedTuple):
    """An outcome beside one version's last prediction of it."""

    outcome: Outcome
    prediction: str
    lower: str
    upper: str
    source: Source


Read = Callable[[Source], Iterable[Predicted]]


class _Row:
    """What is found out about one outcome. One of many: without a dictionary of attributes."""

    __slots__ = ("before", "first_known", "newest", "outcome", "predicted")

    def __init__(self, outcome: Outcome, upload: Moment) -> None:
        self.outcome = outcome
        self.first_known = upload.uploaded_at
        self.newest: Moment | None = None
        self.before = ""
        self.predicted: dict[str, tuple[str, str, str, Source]] = {}

    def take_known(self, actual: str, moment: Moment) -> None:
        """Take in what an earlier upload said of the row."""
        self.first_known = min(self.first_known, moment.uploaded_at)
        if self.newest is None or moment > self.newest:
            self.newest, self.before = moment, actual

    @property
    def says_something_new(self) -> bool:
        """Whether nobody has said the same before."""
        return self.newest is None or float(self.before) != float(self.outcome.actual)


def realised_of(
    outcomes: Iterable[Outcome], upload: Moment, sources: Sequence[Source], read: Read, *, profile: str, at_once: int
) -> Iterator[Realised]:
    """Yield the outcomes of an upload beside the predictions of a profile's versions, in the order of the outcomes.

    at_once: outcomes held in memory; the files that may have predicted them are read again for each such part.
    """
    rest = iter(outcomes)
    while part := list(islice(rest, at_once)):
        rows = {outcome.key: _Row(outcome, upload) for outcome in part}
        firsts = [outcome.labels[0] for outcome in part]
        near = [one for one in sources if overlap((one.first, one.last), (min(firsts), max(firsts)))]
        _take_known(rows, upload, near, read)
        _take_predicted(rows, upload, [one for one in near if one.profile == profile], read)
        for row in rows.values():
            if row.says_something_new:
                for version in sorted(row.predicted, key=_in_order):
                    yield Realised(row.outcome, *row.predicted[version])


def overlap(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Say whether two ranges of texts have anything in common."""
    return one[0] <= other[1] and other[0] <= one[1]


def matter(sources: Iterable[Source], upload: Moment) -> list[Source]:
    """Return the files that can say anything of an upload's outcomes: those of before."""
    return [
        one
        for one in sources
        if (one.known and one.moment < upload) or (one.unknown and one.predicted_at <= upload.uploaded_at)
    ]


def _take_known(rows: dict[str, _Row], upload: Moment, sources: Iterable[Source], read: Read) -> None:
    for source in sources:
        if source.known and source.moment < upload:
            for one in read(source):
                if one.actual and (row := rows.get(one.key)) is not None:
                    row.take_known(one.actual, source.moment)


def _take_predicted(rows: dict[str, _Row], upload: Moment, sources: Iterable[Source], read: Read) -> None:
    candidates = [one for one in sources if one.unknown and one.predicted_at <= upload.uploaded_at]
    for source in sorted(candidates, key=lambda one: (one.predicted_at, one.moment), reverse=True):
        for one in read(source):
            if one.actual or not one.new:
                continue
            row = rows.get(one.key)
            # The newest file comes first.
            if row is not None and source.version not in row.predicted and source.predicted_at <= row.first_known:
                row.predicted[source.version] = (one.prediction, one.lower, one.upper, source)


def _in_order(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)
