"""How answers are read; calls themselves are made in tests/steps/test_ingest_features.py."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.ingestion.calls import judged
from analysis.ingestion.records import Record

RECORDS = [Record(line, name, "{}") for line, name in enumerate(("a", "b", "c"), start=2)]


def entry(name: str) -> dict[str, Any]:
    return {"FeatureGroupName": "g", "Record": [{"FeatureName": "day", "ValueAsString": name}]}


def error(name: str, code: str) -> dict[str, Any]:
    return {"Entry": entry(name), "ErrorCode": code, "ErrorMessage": "no"}


def answered(errors=(), left=()) -> Any:
    return judged(RECORDS, {"Errors": list(errors), "UnprocessedEntries": list(left)}, "day")


def test_what_is_not_named_is_written() -> None:
    verdict = answered([error("b", "ValidationError")], [entry("c")])
    assert verdict.refused == {1: "ValidationError: no"}
    assert verdict.again == {2: "left unprocessed"}
    assert verdict.stop is None


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "ServiceUnavailable"])
def test_what_was_busy_is_sent_again(code) -> None:
    assert answered([error("a", code)]).again == {0: f"{code}: no"}


@pytest.mark.parametrize("code", ["ResourceNotFound", "AccessForbidden", "AccessDeniedException"])
def test_what_holds_for_all_stops(code) -> None:
    verdict = answered([error("a", code)])
    assert verdict.stop == f"BatchWriteRecord answered {code}: no"
    assert verdict.refused.keys() == {0}


@pytest.mark.parametrize(
    "answer",
    [
        {"left": [entry("x")]},
        {"left": [{"FeatureGroupName": "g", "Record": []}]},
        {"errors": [error("x", "ValidationError")]},
        {"errors": [{"ErrorCode": "ValidationError"}]},
    ],
)
def test_an_entry_that_was_not_sent_lets_all_be_sent_again(answer) -> None:
    assert answered(**answer).again.keys() == {0, 1, 2}


def test_of_equal_identifiers_each_is_answered_for() -> None:
    twice = [RECORDS[0], RECORDS[0]]
    verdict = judged(twice, {"Errors": [error("a", "ValidationError")], "UnprocessedEntries": [entry("a")]}, "day")
    assert verdict.again.keys() | verdict.refused.keys() == {0, 1}
