"""A row as a record of the Feature Store, in the text that BatchWriteRecord gets.

Text, because botocore takes six times as long to turn records of Python's own types into the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.features.stored import EVENT_TIME

_text = json.JSONEncoder().encode


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its row in its file (1 for the first), its identifier, and its entry of a call as JSON."""

    row: int
    identifier: str
    entry: str


class RecordForm:
    """How the rows of one file become records of one feature group."""

    def __init__(
        self, columns: Sequence[str], group: str, identifier: str, event_time: str, stores: Sequence[str] = ()
    ) -> None:
        """Take the names of the columns in order; `identifier` is that of the record identifier, one of them.

        event_time: of every record. stores: of the group's stores those that are written to, by default all.
        """
        self._position = columns.index(identifier)
        self._starts = [f',{{"FeatureName":{_text(name)},"ValueAsString":' for name in columns]
        time = f'{{"FeatureName":{_text(EVENT_TIME)},"ValueAsString":{_text(event_time)}}}'
        self._head = f'{{"FeatureGroupName":{_text(group)},"Record":[{time}'
        self._tail = f'],"TargetStores":{json.dumps(list(stores))}}}' if stores else "]}"

    def record(self, row: int, cells: Sequence[str]) -> Record:
        """Make a record, without the features whose cells are empty: the Feature Store has no null."""
        values = [f"{start}{_text(cell)}}}" for start, cell in zip(self._starts, cells, strict=True) if cell]
        return Record(row, cells[self._position], f"{self._head}{''.join(values)}{self._tail}")
