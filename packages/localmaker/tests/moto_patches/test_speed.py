"""The cached and rewritten parts of moto return what moto itself returns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import xmltodict
from moto.core.serialize import (
    AttributePickerContext,
    TimestampSerializer,
    XFormedAttributePicker,
    get_serializer_class,
)
from moto.core.utils import get_service_model

from localmaker.moto_patches import speed


@pytest.mark.parametrize(
    "body",
    [
        {"A": None},
        {"A": ""},
        {"A": {"B": [], "C": [""], "D": [None, "x", 1, 1.5, True, False]}},
        {"A": {"@xmlns": "http://s3.amazonaws.com/doc/2006-03-01/", "B": "<&>\"'", "C": {}}},
        {"A": {"@xmlns:xsi": 'a"b', "@type": None, "#text": "é & more"}},
        {"A": {"B": {"#text": ""}, "C": {"#text": None, "D": [{"E": "1"}, {"E": ("2", "3")}]}}},
        {"A": {"B": b"bytes"}},
    ],
)
def test_xml(body: dict[str, Any]) -> None:
    assert speed.xml_text(body) == xmltodict.unparse(body, full_document=False, short_empty_elements=True)


class DBInstance:
    """An object whose members may be named with or without the class's name."""

    def __init__(self) -> None:
        self.identifier = "short"
        self.db_instance_class = "xformed"
        self.Engine = "as it is"


@pytest.mark.parametrize("value", [{"identifier": 1}, {"DBInstanceIdentifier": 2}, {"Identifier": 3}, {}, DBInstance()])
def test_names_of_members(value: Any) -> None:
    operation = get_service_model("rds").operation_model("DescribeDBInstances")
    shape = operation.output_shape.members["DBInstances"].member
    picker = XFormedAttributePicker()
    serializer = get_serializer_class("rds", "query")(operation, value_picker=picker)
    for _ in range(2):
        for key, member in shape.members.items():
            member.parent = shape
            expected = picker(AttributePickerContext(value, key, member))
            assert speed._value(serializer, value, key, member) == expected


@pytest.mark.parametrize("form", ["iso8601", "iso8601_zeroed", "rfc822", "unixtimestamp"])
@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T12:00:01Z",
        "2026-01-31T12:00:01.5Z",
        "2026-01-31T12:00:01.123456+00:00",
        "Sat, 31 Jan 2026 12:00:01 GMT",
        1769860801,
        1769860801.25,
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_times(value: Any, form: str) -> None:
    serializer = TimestampSerializer("iso8601")
    assert speed._timestamp(serializer, value, form) == speed._moto_timestamp(serializer, value, form)
