from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from analysis.ingestion.records import RecordForm

MOMENT = "2026-03-04T05:06:07.000Z"


@given(st.lists(st.text(), min_size=2, max_size=2), st.text(min_size=1))
def test_a_record_has_every_cell_that_is_not_empty(cells: list[str], group: str) -> None:
    form = RecordForm(("day", "temp", "hum"), group, "day", MOMENT)
    record = form.record(7, ["monday", *cells])
    assert (record.row, record.identifier) == (7, "monday")
    values = {"event_time": MOMENT, "day": "monday", "temp": cells[0], "hum": cells[1]}
    expected = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items() if value]
    assert json.loads(record.entry) == {"FeatureGroupName": group, "Record": expected}


def test_stores_are_named_only_where_they_are_chosen() -> None:
    record = RecordForm(("day",), "group", "day", MOMENT, ("OnlineStore",)).record(2, ["monday"])
    assert json.loads(record.entry)["TargetStores"] == ["OnlineStore"]
