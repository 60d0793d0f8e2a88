from __future__ import annotations

from typing import Any

import pytest

from localmaker.errors import AwsError
from localmaker.services.events.entries import entry_size, put_entries, refusal_of

GOOD = {"Source": "a", "DetailType": "d", "Detail": "{}"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Source": ""}, "InvalidArgument"),
        ({"DetailType": None}, "InvalidArgument"),
        ({"Detail": None}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[1]"}, "MalformedDetail"),
    ],
)
def test_what_is_wrong_with_an_entry(change: dict[str, Any], code: str) -> None:
    refusal = refusal_of({**GOOD, **change})
    assert refusal is not None
    assert refusal[0] == code
    assert refusal_of(GOOD) is None


def test_events_of_aws_services_can_be_sent_again() -> None:
    assert refusal_of({**GOOD, "Source": "aws.s3"}) is None


def test_each_answer_stands_in_the_place_of_its_entry() -> None:
    published: list[Any] = []

    def publish(entries: list[dict[str, Any]]) -> list[Any]:
        published.extend(entries)
        return [{"EventId": entry["Source"]} for entry in entries]

    entries: list[dict[str, Any]] = [
        GOOD,
        {**GOOD, "Detail": "{"},
        {**GOOD, "Source": "b", "EventBusName": "arn:aws:events:us-east-1:123456789012:event-bus/own"},
        {**GOOD, "EventBusName": "nowhere"},
    ]
    answer = put_entries(entries, {"default", "own"}, publish)
    assert answer["FailedEntryCount"] == 1
    assert [one.get("ErrorCode") or one["EventId"] for one in answer["Entries"][:3]] == ["a", "MalformedDetail", "b"]
    assert answer["Entries"][3]["EventId"]
    assert published == [entries[0], entries[2]]


def test_size_is_counted_in_bytes() -> None:
    assert entry_size({"Source": "ü", "DetailType": "d", "Detail": "{}", "Resources": ["arn"], "Time": 0}) == 22
    with pytest.raises(AwsError, match="over the limit"):
        put_entries([{**GOOD, "Detail": "x" * (1 << 20)}], {"default"}, lambda entries: entries)
