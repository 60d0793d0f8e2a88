from __future__ import annotations

import json
from typing import Any

import pytest

from localmaker.services.events.inputs import (
    InvalidInputError,
    MissingValueError,
    as_text,
    resolve_path,
    target_payload,
    unknown_placeholders,
)

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
EVENT = {
    "id": "1",
    "time": "2026-01-01T00:00:00Z",
    "detail-type": "Object Created",
    "resources": ["arn:aws:s3:::raw"],
    "detail": {"object": {"key": 'raw/"ü" .csv', "size": 3}, "odd.name": "x"},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.id", "1"),
        ("$.detail-type", "Object Created"),
        ("$.resources[0]", "arn:aws:s3:::raw"),
        ("$.detail.object.size", 3),
        ("$.detail['odd.name']", "x"),
        ("$", EVENT),
    ],
)
def test_resolve_path(path: str, expected: Any) -> None:
    assert resolve_path(path, EVENT) == expected


@pytest.mark.parametrize("path", ["$.nothing", "$.resources[1]", "$.id.deeper", "$.detail[0]"])
def test_a_path_to_nothing(path: str) -> None:
    with pytest.raises(MissingValueError, match="is not in the event"):
        resolve_path(path, EVENT)


@pytest.mark.parametrize("path", ["id", "$..id", "$.a[*]", "$.a b[", "$x"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(InvalidInputError):
        resolve_path(path, {"a": [1], "a b": {}})


def test_as_text() -> None:
    assert [as_text("x"), as_text(3), as_text(True), as_text({"a": 1})] == ["x", "3", "true", '{"a": 1}']


def test_payload_is_the_event_a_constant_or_a_part() -> None:
    assert json.loads(target_payload({}, EVENT, RULE)) == EVENT
    assert target_payload({"Input": '{"a": 1}'}, EVENT, RULE) == '{"a": 1}'
    assert json.loads(target_payload({"InputPath": "$.detail.object"}, EVENT, RULE)) == EVENT["detail"]["object"]


def test_template() -> None:
    transformer = {
        "InputPathsMap": {"key": "$.detail.object.key", "size": "$.detail.object.size", "gone": "$.gone"},
        "InputTemplate": '{"text": "got <key>, <size> bytes<gone>", "key": <key>, "size": <size>, '
        '"rule": <aws.events.rule-name>, "all": <aws.events.event.json>}',
    }
    filled = json.loads(target_payload({"InputTransformer": transformer}, EVENT, RULE))
    assert filled == {
        "text": 'got raw/"ü" .csv, 3 bytes',
        "key": 'raw/"ü" .csv',
        "size": 3,
        "rule": "r",
        "all": EVENT,
    }


def test_template_that_is_one_text() -> None:
    transformer = {"InputPathsMap": {"size": "$.detail.object.size"}, "InputTemplate": '"<size> bytes"'}
    assert json.loads(target_payload({"InputTransformer": transformer}, EVENT, RULE)) == "3 bytes"


SHAPES = {"payload": "$.detail.object", "list": "$.resources", "size": "$.detail.object.size", "gone": "$.gone"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"all of <list>, <size> and <gone>."', '"all of [arn:aws:s3:::raw], 3 and ."'),
        ('"it is <short>"', '"it is {key:k,size:3}"'),
        ('"<size> bytes"\n"of <list>"', '"3 bytes"\n"of [arn:aws:s3:::raw]"'),
        ('{"list": <list>, "size": "<size>"}', '{"list": ["arn:aws:s3:::raw"], "size": "3"}'),
    ],
)
def test_lists_and_objects_in_templates(template: str, expected: str) -> None:
    event = {**EVENT, "short": {"key": "k", "size": 3}}
    transformer = {"InputPathsMap": {**SHAPES, "short": "$.short"}, "InputTemplate": template}
    assert target_payload({"InputTransformer": transformer}, event, RULE) == expected


@pytest.mark.parametrize("template", ['{"a": "<payload>"}', '{"a": "all of <list>"}', '"one"\ntwo', "<list> items"])
def test_what_cannot_be_filled_in(template: str) -> None:
    transformer = {"InputPathsMap": SHAPES, "InputTemplate": template}
    with pytest.raises(InvalidInputError, match="not JSON"):
        target_payload({"InputTransformer": transformer}, EVENT, RULE)


def test_the_event_without_its_detail() -> None:
    transformer = {"InputTemplate": '{"event": <aws.events.event>}'}
    filled = json.loads(target_payload({"InputTransformer": transformer}, EVENT, RULE))["event"]
    assert filled == {
        "id": "1",
        "time": "2026-01-01T00:00:00Z",
        "detailType": "Object Created",
        "resources": ["arn:aws:s3:::raw"],
    }


def test_placeholders_that_stand_for_nothing() -> None:
    transformer = {"InputPathsMap": {"a": "$.id"}, "InputTemplate": '{"x": <a>, "y": <b>, "z": <aws.events.rule-name>}'}
    assert unknown_placeholders(transformer) == ["b"]


def test_template_that_is_not_json() -> None:
    with pytest.raises(InvalidInputError, match="not JSON"):
        target_payload({"InputTransformer": {"InputTemplate": "{plain}"}}, EVENT, RULE)
