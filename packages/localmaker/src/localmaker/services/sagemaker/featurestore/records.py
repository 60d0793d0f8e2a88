"""Checks of records against their feature group's definition, and conversions of their values.

Times are whole microseconds since 1970: finer than the milliseconds of a string and than a double of today's seconds,
and room for all years that a string can name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from localmaker.errors import AwsError

# The two event time formats of the Feature Store: yyyy-MM-dd'T'HH:mm:ssZ and yyyy-MM-dd'T'HH:mm:ss.SSSZ.
_EVENT_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")
_INTEGRAL = re.compile(r"[+-]?[0-9]{1,100}")
_INT64 = 1 << 63
_FRACTIONAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_LIMITS = {
    "Integral": "The provided value must be within the range of a 64-bit signed integer.",
    "Fractional": "The provided value must be within the range of a double precision floating point number defined by "
    "the IEEE 754 standard. The input format can be in either decimal form or scientific notation.",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_UNIT_SECONDS = {"Seconds": 1, "Minutes": 60, "Hours": 3600, "Days": 86_400, "Weeks": 604_800}
MICROSECONDS = 1_000_000
_SHOWN = 100  # characters of a value that a message repeats

FeatureValue = dict[str, Any]


@dataclass(frozen=True)
class FeatureGroup:
    """The parts of a feature group's description that the record operations need.

    Attributes:
        feature_types: feature name to ``String``, ``Integral`` or ``Fractional``.
        collections: names of the features that hold a list, set or vector.
        online, offline: which stores it has.
        ttl: the group's own TtlDuration, if any.
        storage_type: ``Standard``, ``Standard_V2`` or ``InMemory``.
    """

    arn: str
    name: str
    identifier: str
    event_time: str
    feature_types: dict[str, str]
    collections: frozenset[str]
    online: bool
    offline: bool
    ttl: dict[str, Any] | None
    storage_type: str

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> FeatureGroup:
        """Read a DescribeFeatureGroup response."""
        definitions = description["FeatureDefinitions"]
        online = description.get("OnlineStoreConfig") or {}
        return cls(
            arn=description["FeatureGroupArn"],
            name=description["FeatureGroupName"],
            identifier=description["RecordIdentifierFeatureName"],
            event_time=description["EventTimeFeatureName"],
            feature_types={one["FeatureName"]: one["FeatureType"] for one in definitions},
            collections=frozenset(one["FeatureName"] for one in definitions if one.get("CollectionType")),
            online=bool(online.get("EnableOnlineStore")),
            offline="OfflineStoreConfig" in description,
            ttl=online.get("TtlDuration"),
            storage_type=online.get("StorageType", "Standard"),
        )


@dataclass(frozen=True)
class OfflineRow:
    """One record on its way to the offline store.

    Attributes:
        number: in the order of writing.
        event_time, written_at: microseconds since 1970.
        deleted: whether it marks the record as deleted.
    """

    number: int
    event_time: int
    values: list[FeatureValue]
    written_at: int
    deleted: bool


@dataclass(frozen=True)
class Record:
    """One checked record.

    Attributes:
        values: the feature values, in the order of the request.
        event_time: microseconds since 1970.
        expires_at: microseconds since 1970, or None when it never expires.
    """

    identifier: str
    event_time: int
    values: list[FeatureValue]
    expires_at: int | None


def invalid(message: str) -> AwsError:
    """Return the Feature Store runtime's error for a bad record."""
    return AwsError("ValidationError", f"Validation Error: {message}")


def check_record(group: FeatureGroup, values: list[FeatureValue], ttl: dict[str, Any] | None) -> Record:
    """Make a record of a group from the feature values of a request.

    Raises:
        AwsError: ``ValidationError`` that names the feature.
    """
    check_features(group, values)
    by_name = {value["FeatureName"]: value for value in values}
    identifier = _required(group, by_name, group.identifier, "RecordIdentifierFeatureName")
    event_time = parse_event_time(
        _required(group, by_name, group.event_time, "EventTimeFeatureName"), group.feature_types[group.event_time]
    )
    return Record(identifier, event_time, values, expiry(event_time, ttl or group.ttl))


def check_features(group: FeatureGroup, values: list[FeatureValue]) -> None:
    """Check names and types of feature values.

    Raises:
        AwsError: ``ValidationError`` that names the feature.
    """
    seen: set[str] = set()
    for value in values:
        name = value["FeatureName"]
        if name in seen:
            raise invalid(f"Feature name [{name}] is given more than once in the record")
        seen.add(name)
        if name not in group.feature_types:
            raise invalid(f"Feature name [{name}] is not defined in feature group [{group.name}]")
        _check_value(group, value)


def _check_value(group: FeatureGroup, value: FeatureValue) -> None:
    name = value["FeatureName"]
    has_text, has_list = "ValueAsString" in value, "ValueAsStringList" in value
    if has_text and has_list:
        raise invalid(f"Feature [{name}] has both ValueAsString and ValueAsStringList; only one may be given")
    if has_list and name not in group.collections:
        raise invalid(f"Feature [{name}] is not of a collection type: ValueAsString is expected")
    if has_text and name in group.collections:
        raise invalid(f"Feature [{name}] is of a collection type: ValueAsStringList is expected")
    kind = group.feature_types[name]
    for text in value["ValueAsStringList"] if has_list else [value["ValueAsString"]] if has_text else []:
        if not _is_of_type(text, kind):
            raise invalid(
                f"Attempted to parse the feature value for the feature named [{name}] into a FeatureValue of type "
                f"{kind}. {_LIMITS[kind]} It is [{text[:_SHOWN]}]."
            )


def _is_of_type(text: str, kind: str) -> bool:
    if kind == "Integral":
        return bool(_INTEGRAL.fullmatch(text)) and -_INT64 <= int(text) < _INT64
    return kind == "String" or (bool(_FRACTIONAL.fullmatch(text)) and isfinite(float(text)))


def _required(group: FeatureGroup, by_name: dict[str, FeatureValue], name: str, role: str) -> str:
    text = by_name.get(name, {}).get("ValueAsString")
    if not text:
        raise invalid(f"The record has no value for feature [{name}], the {role} of feature group [{group.name}]")
    return str(text)


def parse_event_time(text: str, kind: str) -> int:
    """Parse an event time into microseconds since 1970.

    Args:
        kind: ``String`` for ISO 8601 in UTC (``2026-01-31T12:00:00Z``, or with milliseconds), else seconds.

    Raises:
        AwsError: ``ValidationError``: it is neither.
    """
    if kind == "String":
        if not _EVENT_TIME.fullmatch(text):
            raise invalid(
                f"EventTime [{text[:_SHOWN]}] is not in a supported format: yyyy-MM-dd'T'HH:mm:ssZ or "
                "yyyy-MM-dd'T'HH:mm:ss.SSSZ"
            )
        try:
            return _microseconds(datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC))
        except ValueError as error:
            raise invalid(f"EventTime [{text}] is not a date: {error}") from error
    if not _is_of_type(text, kind):
        raise invalid(f"EventTime [{text[:_SHOWN]}] is not a number of seconds since 1970")
    at = float(text) * MICROSECONDS
    if not _microseconds(_FIRST) <= at <= _microseconds(_LAST):
        raise invalid(
            f"EventTime [{text[:_SHOWN]}] is after the year 9999: it is a number of seconds, not of milliseconds"
        )
    return round(at)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(microseconds: int) -> datetime:
    """Return a time of the Feature Store as one of Python."""
    return _EPOCH + timedelta(microseconds=microseconds)


def expiry(event_time: int, ttl: dict[str, Any] | None) -> int | None:
    """Return the time at which a record expires: its event time plus the TtlDuration."""
    if ttl is None:
        return None
    after = int(ttl["Value"]) * _UNIT_SECONDS[ttl["Unit"]] * MICROSECONDS
    return min(event_time + after, _microseconds(_LAST))


def expiry_text(expires_at: int) -> str:
    """Format ExpiresAt for a response."""
    return moment_of(expires_at).strftime("%Y-%m-%dT%H:%M:%SZ")
