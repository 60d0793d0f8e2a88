"""Records against their feature group's definition."""

from __future__ import annotations

from typing import Any

import pytest

from localmaker.errors import AwsError
from localmaker.services.sagemaker.featurestore.records import (
    MICROSECONDS,
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
        ("1970-01-01T00:00:01Z", "String", MICROSECONDS),
        ("1970-01-01T00:00:01.500Z", "String", 1_500_000),
        ("1969-12-31T23:59:59Z", "String", -MICROSECONDS),
        ("9999-12-31T23:59:59.999Z", "String", 253_402_300_799_999_000),
        ("1.5", "Fractional", 1_500_000),
        ("-1", "Fractional", -MICROSECONDS),
        ("1767225600.123456", "Fractional", 1_767_225_600_123_456),
        ("1.7672256e9", "Fractional", 1_767_225_600_000_000),
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
        *(
            (text, "String")
            for text in ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.000000Z", "0000-01-01T00:00:00Z")
        ),
        *((text, "String") for text in ("2026-01-01 00:00:00Z", "٢٠٢٦-01-01T00:00:00Z", "2026-01-01T00:00:00z", "")),
        ("1767225600123", "Fractional"),  # milliseconds
        *(
            (text, "Fractional")
            for text in ("NaN", "nan", "Infinity", "inf", "-inf", "1e400", "1e30", "-1e30", "", " ")
        ),
    ],
)
def test_bad_event_time(text: str, kind: str) -> None:
    with pytest.raises(AwsError, match="ValidationError: Validation Error: EventTime"):
        parse_event_time(text, kind)


def test_a_record_that_fits() -> None:
    record = check_record(GROUP, values(count="-3", ratio="1e-3", list=["1", "2"]), {"Unit": "Minutes", "Value": 2})
    assert (record.identifier, record.event_time) == ("a", 1_767_225_600 * MICROSECONDS)
    assert record.expires_at is not None
    assert expiry_text(record.expires_at) == "2026-01-01T00:02:00Z"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (values(other="x"), r"\[other\] is not defined in feature group \[days\]"),
        (
            values(count="1.5"),
            r"named \[count\] into a FeatureValue of type Integral.* 64-bit signed integer. It is \[1.5\]",
        ),
        (values(ratio="x"), r"named \[ratio\] into a FeatureValue of type Fractional.* It is \[x\]"),
        (values(list=["1", "x"]), r"named \[list\] .* It is \[x\]"),
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


@pytest.mark.parametrize(
    "text",
    [
        str(1 << 63),
        str(-(1 << 63) - 1),
        "0x10",
        "1_000",
        " 1",
        "1 ",
        "1\n",
        "",
        "1.0",
        "1e3",
        "+",
        "٣",
        "9" * 5000,
        "nan",
    ],
)
def test_what_is_no_integral(text: str) -> None:
    with pytest.raises(AwsError, match=r"ValidationError.* of type Integral"):
        check_record(GROUP, values(count=text), None)


@pytest.mark.parametrize(
    "text",
    ["0x1p3", "1_000.5", " 1", "1 ", "1\n", "", ".", "e5", "1e", "nan", "NaN", "inf", "-Infinity", "1e400", "1,5"],
)
def test_what_is_no_fractional(text: str) -> None:
    with pytest.raises(AwsError, match=r"ValidationError.* of type Fractional"):
        check_record(GROUP, values(ratio=text), None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("count", text) for text in (str((1 << 63) - 1), str(-(1 << 63)), "+5", "007")),
        *(("ratio", text) for text in ("1", ".5", "5.", "-1.5E-300", "1e-400", "1.7976931348623157e308")),
    ],
)
def test_extreme_values_that_fit(name: str, text: str) -> None:
    assert check_record(GROUP, values(**{name: text}), None).identifier == "a"


def test_a_record_expires_at_the_end_of_time_at_the_latest() -> None:
    record = check_record(GROUP, values(), {"Unit": "Weeks", "Value": (1 << 31) - 1})
    assert record.expires_at is not None
    assert expiry_text(record.expires_at) == "9999-12-31T23:59:59Z"
