"""What the offline store knew at a moment: Athena's SQL, run by DuckDB, against a plain search through all records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from analysis.history.queries import POSITION, GroupTable, Spine, history_query, training_set_query, unload
from analysis.runtime.errors import SettingsError

INPUTS = GroupTable("store", "inputs_1", "id", "event_time", ("id", "event_time", "temp"))
OUTCOMES = GroupTable("store", "outcomes_1", "id", "event_time", ("id", "event_time", "Count"))
START = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Written:
    """One record as the offline store keeps it; times in milliseconds after the start."""

    identifier: str
    event: int
    invoked: int
    written: int
    deleted: bool
    value: int

    @property
    def order(self) -> tuple[int, int, int]:
        return self.event, self.invoked, self.written


def iso(milliseconds: int) -> str:
    """Write a moment in either of the two forms that the Feature Store takes."""
    moment = START + timedelta(milliseconds=milliseconds)
    whole = milliseconds % 1000 == 0
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z" if whole else f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def table_of(records: list[Written], value: str) -> pa.Table:
    moments = [
        [START + timedelta(milliseconds=getattr(one, name)) for one in records] for name in ("invoked", "written")
    ]
    times = [pa.array(found, pa.timestamp("ms", tz="UTC")) for found in moments]
    return pa.table(
        {
            "id": pa.array([one.identifier for one in records], pa.string()),
            "event_time": pa.array([iso(one.event) for one in records], pa.string()),
            value: pa.array([one.value for one in records], pa.int64()),
            "api_invocation_time": times[0],
            "write_time": times[1],
            "is_deleted": pa.array([one.deleted for one in records], pa.bool_()),
        }
    )


@cache
def translated(query: str) -> str:
    [found] = sqlglot.transpile(query, read="athena", write="duckdb")
    return found


@cache
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA store")
    return connection


def answered(query: str, tables: dict[str, pa.Table]) -> list[dict[str, object]]:
    for name, table in tables.items():
        database().register("arrow", table)
        database().execute(" ".join(["CREATE OR REPLACE TABLE", f"store.{name}", "AS SELECT * FROM arrow"]))
        database().unregister("arrow")
    cursor = database().execute(translated(query))
    names = [description[0] for description in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def known(records: list[Written], identifier: str, moment: int) -> int | None:
    """Return the value that was known of an identifier at a moment; None where there was none, or it was deleted."""
    before = [one for one in records if one.identifier == identifier and one.event <= moment]
    newest = max(before, key=lambda one: one.order, default=None)
    return None if newest is None or newest.deleted else newest.value


# Few identifiers and moments, so that they meet; half of the moments are whole seconds, which are written shorter.
MOMENTS = st.sampled_from([0, 1, 999, 1000, 1001, 2000, 2500, 60_000])
RECORDS = st.lists(
    st.builds(
        Written, st.sampled_from("abc"), MOMENTS, MOMENTS, st.integers(0, 10**6), st.booleans(), st.integers(-5, 5)
    ),
    max_size=12,
    unique_by=lambda one: (one.identifier, *one.order),
)


@given(RECORDS, RECORDS, MOMENTS)
def test_the_history_is_what_a_plain_search_finds(inputs: list[Written], outcomes: list[Written], moment: int) -> None:
    tables = {"inputs_1": table_of(inputs, "temp"), "outcomes_1": table_of(outcomes, "count")}
    rows = answered(history_query(INPUTS, OUTCOMES, iso(moment)), tables)
    expected = {
        identifier: (value, known(outcomes, identifier, moment))
        for identifier in "abc"
        if (value := known(inputs, identifier, moment)) is not None
    }
    assert {row["id"]: (row["temp"], row["count"]) for row in rows} == expected
    assert len(rows) == len(expected)


@given(RECORDS, RECORDS, st.lists(st.tuples(st.sampled_from("abcd"), MOMENTS), max_size=6))
def test_each_row_of_a_training_set_has_what_was_known_at_its_moment(
    inputs: list[Written], outcomes: list[Written], asked: list[tuple[str, int]]
) -> None:
    spine = pa.table(
        {
            POSITION: pa.array(range(len(asked)), pa.int64()),
            "identifier": pa.array([identifier for identifier, _ in asked], pa.string()),
            "moment": pa.array([iso(moment) for _, moment in asked], pa.string()),
        }
    )
    tables = {
        "inputs_1": table_of(inputs, "temp"),
        "outcomes_1": table_of(outcomes, "count"),
        "spine_1": spine,
    }
    rows = answered(training_set_query(INPUTS, OUTCOMES, Spine("store", "spine_1")), tables)
    assert sorted((row[POSITION], row["temp"], row["count"]) for row in rows) == [
        (position, known(inputs, identifier, moment), known(outcomes, identifier, moment))
        for position, (identifier, moment) in enumerate(asked)
    ]


def test_names_and_texts_can_not_end_a_statement() -> None:
    odd = GroupTable("store", 'in"; DROP TABLE x; --', "id", "event_time", ("id", "event_time", 'a"b'))
    query = history_query(odd, OUTCOMES, iso(0))
    assert '"in""; drop table x; --"' in query
    assert 'inputs."a""b"' in query
    assert "TO 's3://bucket/it''s/' WITH" in unload("SELECT 1", "s3://bucket/it's")


@pytest.mark.parametrize("moment", ["", "2026-03-04", "2026-03-04T05:06:07", "2026-03-04T05:06:07Z'", "now()"])
def test_only_moments_are_put_into_a_statement(moment: str) -> None:
    with pytest.raises(SettingsError, match="is not a moment"):
        history_query(INPUTS, OUTCOMES, moment)


def test_a_group_without_an_offline_table_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"days.*has no offline store.*features\.offline_store"):
        GroupTable.of({"FeatureGroupName": "days", "FeatureDefinitions": []})
