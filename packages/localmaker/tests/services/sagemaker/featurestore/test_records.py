"""Records against their feature group's definition."""

from __future__ import annotations

from typing import Any

import pytest

from localmaker.errors import AwsError
from localmaker.services.sagemaker.featurestore.records import (
    NANOSECONDS,
    FeatureGroup,
    check_record,
    expiry_text,
    parse_event_time,
)

GROUP = FeatureGroup.from_description(
    {
        "FeatureGroupArn": "arn",
        "FeatureGroupName": "days",
        "RecordIdentifierFeatureName": "id",
        "EventTimeFeatureName": "at",
        "FeatureDefinitions": [
            {"FeatureName": "id", "FeatureType": "String"},
            {"FeatureName": "at", "FeatureType": "String"},
            {"FeatureName": "count", "FeatureType": "Integral"},
            {"FeatureName": "ratio", "FeatureType": "Fractional"},
            {"FeatureName": "list", "FeatureType": "Integral", "CollectionType": "List"},
        ],
        "OnlineStoreConfig": {"EnableOnlineStore": True},
    }
)
MIDNIGHT = "2026-01-01T00:00:00Z"


def values(**features: Any) -> list[dict[str, Any]]:
    return [
        {"FeatureName": name, "ValueAsStringList" if isinstance(value, list) else "ValueAsString": value}
        for name, value in {"id": "a", "at": MIDNIGHT, **features}.items()
    ]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1970-01-01T00:00:01Z", "String", NANOSECONDS),
        ("1970-01-01T00:00:01.5Z", "String", 1_500_000_000),
        ("1970-01-01T00:00:01.000000001Z", "String", 1_000_000_001),
        ("1.5", "Fractional", 1_500_000_000),
        ("1767225600.123456789", "Fractional", 1_767_225_600_123_456_789),
    ],
)
def test_event_time(text: str, kind: str, expected: int) -> None:
    assert parse_event_time(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2026-01-01", "String"),
        ("2026-01-01T00:00:00", "String"),
        ("2026-01-01T00:00:00+00:00", "String"),
        ("2026-02-30T00:00:00Z", "String"),
        ("2026-01-01T00:00:00Z", "Fractional"),
        ("NaN", "Fractional"),
        ("Infinity", "Fractional"),
    ],
)
def test_bad_event_time(text: str, kind: str) -> None:
    with pytest.raises(AwsError, match="ValidationError: Validation Error: EventTime"):
        parse_event_time(text, kind)


def test_a_record_that_fits() -> None:
    record = check_record(GROUP, values(count="-3", ratio="1e-3", list=["1", "2"]), {"Unit": "Minutes", "Value": 2})
    assert (record.identifier, record.event_time) == ("a", 1_767_225_600 * NANOSECONDS)
    assert record.expires_at is not None
    assert expiry_text(record.expires_at) == "2026-01-01T00:02:00Z"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (values(other="x"), r"\[other\] is not defined in feature group \[days\]"),
        (values(count="1.5"), r"\[1.5\] of feature \[count\] is not of type \[Integral\]"),
        (values(count=str(1 << 63)), r"is not of type \[Integral\]"),
        (values(ratio="x"), r"\[x\] of feature \[ratio\] is not of type \[Fractional\]"),
        (values(list=["1", "x"]), r"\[x\] of feature \[list\]"),
        (values(list="1"), "ValueAsStringList is expected"),
        (values(count=["1"]), "ValueAsString is expected"),
        (values()[1:], r"no value for feature \[id\]"),
        (values()[:1], r"no value for feature \[at\]"),
        (values(id=""), r"no value for feature \[id\]"),
        (values() + values()[:1], "more than once"),
    ],
)
def test_a_record_that_does_not_fit(record: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(AwsError, match=message):
        check_record(GROUP, record, None)
