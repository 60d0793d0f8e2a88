"""Realised results of several uploads as one: a corrected outcome replaces the older figure, and none counts twice.

Each upload's result is a file of its own that only itself replaces, so executions that race can't spoil it. What of
them counts is decided by whoever reads: of each row and version the outcome of the newest upload. Files whose rows
can't be the same ones, by the ranges in their summaries, need not be read for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from analysis.realised.join import Moment
from analysis.realised.sums import Cell, Sums, Table, added, table_of


@dataclass(frozen=True)
class Summary:
    """What the summary of one upload's results says. first, last: as of a prediction file, and for the same use."""

    profile: str
    table: str
    moment: Moment
    rows: int
    first: str
    last: str
    sums: Table
    joined_by: tuple[str, ...]
    time_label: str | None


class Counted(NamedTuple):
    """A row of realised results: what names it, what it is counted under, and what it adds."""

    key: str
    cell: Cell
    sums: Sums


Read = Callable[[Summary], Iterable[Counted]]


def summary_from(document: Mapping[str, Any]) -> Summary:
    """Return the summary in a JSON object."""
    return Summary(
        profile=document["profile"],
        table=document["realised"],
        moment=Moment(document["known_at"], document["source"]["identity"]),
        rows=document["rows"],
        first=document["first_label"],
        last=document["last_label"],
        sums=table_of(document["versions"]),
        joined_by=tuple(document["joined_by"]),
        time_label=document["time_label"],
    )


def settled(summaries: Iterable[Summary], read: Read) -> Table:
    """Return the sums of all of a profile's results, in which each row counts once for each version."""
    return added(_settled(group, read) for group in groups(summaries))


def groups(summaries: Iterable[Summary]) -> Iterator[list[Summary]]:
    """Yield the results whose ranges overlap, directly or by way of others; no row is in two groups."""
    group: list[Summary] = []
    end = ""
    for one in sorted(summaries, key=lambda one: (one.first, one.last, one.moment)):
        if group and one.first > end:
            yield group
            group = []
        end = max(end, one.last) if group else one.last
        group.append(one)
    if group:
        yield group


def _settled(group: Sequence[Summary], read: Read) -> Table:
    if len(group) == 1:
        return group[0].sums
    seen: set[tuple[str, str]] = set()
    total: Table = {}
    for summary in sorted(group, key=lambda one: one.moment, reverse=True):
        for one in read(summary):
            row = (one.key, one.cell.version)
            if row not in seen:
                seen.add(row)
                total[one.cell] = total.get(one.cell, Sums()) + one.sums
    return total
