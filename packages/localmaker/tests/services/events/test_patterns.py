from __future__ import annotations

from typing import Any

import pytest

from localmaker.services.events.pattern_checks import InvalidPatternError, check_pattern
from localmaker.services.events.patterns import matches

EVENT = {
    "source": "aws.s3",
    "detail": {
        "key": "raw/training/Day.CSV",
        "size": 120,
        "ratio": 0.5,
        "done": True,
        "nothing": None,
        "ip": "10.1.2.3",
        "tags": ["a", "b"],
        "empty": [],
        "items": [{"name": "x", "price": 1}, {"name": "y", "price": 2}],
        "nested": {"leaf": "v"},
        "deep": [["a"], [["z"]]],
        "ipv6": "2001:db8::1",
        "literal": "a*b",
    },
}


@pytest.mark.parametrize(
    ("wanted", "key", "expected"),
    [
        ("raw/training/Day.CSV", "key", True),
        ("raw", "key", False),
        (120, "size", True),
        (120.0, "size", True),
        ("120", "size", False),
        (True, "done", True),
        (1, "done", False),
        (None, "nothing", True),
        (None, "absent", False),
        ("b", "tags", True),
        ("c", "tags", False),
        ({"prefix": "raw/"}, "key", True),
        ({"prefix": "training"}, "key", False),
        ({"prefix": {"equals-ignore-case": "RAW/"}}, "key", True),
        ({"suffix": ".csv"}, "key", False),
        ({"suffix": ".CSV"}, "key", True),
        ({"suffix": {"equals-ignore-case": ".csv"}}, "key", True),
        ({"equals-ignore-case": "RAW/training/day.csv"}, "key", True),
        ({"equals-ignore-case": "day.csv"}, "key", False),
        ({"wildcard": "raw/*/Day.*"}, "key", True),
        ({"wildcard": "raw/*.csv"}, "key", False),
        ({"wildcard": "*"}, "key", True),
        ({"wildcard": r"raw/\*"}, "key", False),
        ({"anything-but": "other"}, "key", True),
        ({"anything-but": ["raw/training/Day.CSV", "other"]}, "key", False),
        ({"anything-but": [1, 2]}, "size", True),
        ({"anything-but": {"prefix": "raw/"}}, "key", False),
        ({"anything-but": {"suffix": ".csv"}}, "key", True),
        ({"anything-but": {"wildcard": "*/tmp/*"}}, "key", True),
        ({"anything-but": {"equals-ignore-case": "raw/training/day.csv"}}, "key", False),
        ({"anything-but": {"prefix": ["x", "raw"]}}, "key", False),
        ({"anything-but": "x"}, "absent", False),
        ({"numeric": [">", 100]}, "size", True),
        ({"numeric": [">", 100, "<=", 119]}, "size", False),
        ({"numeric": ["=", 0.5]}, "ratio", True),
        ({"numeric": [">", 0]}, "done", False),
        ({"numeric": [">", 0]}, "key", False),
        ({"cidr": "10.0.0.0/8"}, "ip", True),
        ({"cidr": "192.168.0.0/16"}, "ip", False),
        ({"cidr": "10.0.0.0/8"}, "key", False),
        ({"exists": True}, "key", True),
        ({"exists": False}, "key", False),
        ({"exists": False}, "absent", True),
        ({"exists": True}, "absent", False),
        ({"exists": True}, "nothing", True),
        ({"exists": True}, "nested", False),
        ({"exists": True}, "empty", False),
        ({"exists": False}, "empty", True),
        ({"exists": True}, "items", False),
        ({"exists": False}, "nested", True),
        ({"exactly": "raw/training/Day.CSV"}, "key", True),
        ({"exactly": "raw"}, "key", False),
        ("z", "deep", True),
        ("x", "deep", False),
        ("", "key", False),
        ({"prefix": ""}, "key", True),
        ({"wildcard": r"a\*b"}, "literal", True),
        ({"wildcard": r"*\**"}, "literal", True),
        ({"cidr": "2001:db8::/32"}, "ipv6", True),
        ({"cidr": "10.0.0.0/8"}, "ipv6", False),
        ({"anything-but": ["a"]}, "tags", True),
        ({"anything-but": ["a", "b"]}, "tags", False),
        ({"anything-but": 120}, "size", False),
        ({"anything-but": {"suffix": ["x", ".CSV"]}}, "key", False),
        ({"anything-but": {"equals-ignore-case": ["x", "RAW/TRAINING/DAY.CSV"]}}, "key", False),
        ({"anything-but": {"wildcard": ["raw/*", "x"]}}, "key", False),
        ({"numeric": ["<", 120]}, "size", False),
        ({"numeric": [">=", 120, "<", 120.5]}, "size", True),
        ({"suffix": {"equals-ignore-case": ".txt"}}, "key", False),
    ],
)
def test_operator(wanted: Any, key: str, expected: bool) -> None:
    pattern = {"detail": {key: [wanted]}}
    check_pattern(pattern)
    assert matches(pattern, EVENT) is expected


def test_keys_are_anded_and_lists_ored() -> None:
    assert matches({"source": ["aws.ec2", "aws.s3"], "detail": {"size": [120]}}, EVENT)
    assert not matches({"source": ["aws.s3"], "detail": {"size": [121]}}, EVENT)


def test_or_at_every_level() -> None:
    assert matches({"$or": [{"source": ["x"]}, {"detail": {"size": [120]}}]}, EVENT)
    assert matches({"source": ["aws.s3"], "detail": {"$or": [{"size": [1]}, {"done": [True]}]}}, EVENT)
    assert not matches({"detail": {"$or": [{"size": [1]}, {"done": [False]}]}}, EVENT)


def test_objects_in_a_list_match_one_at_a_time() -> None:
    assert matches({"detail": {"items": {"name": ["y"], "price": [2]}}}, EVENT)
    assert not matches({"detail": {"items": {"name": ["x"], "price": [2]}}}, EVENT)


def test_a_missing_branch_matches_only_what_must_not_exist() -> None:
    assert matches({"detail": {"gone": {"deeper": [{"exists": False}]}}}, EVENT)
    assert not matches({"detail": {"gone": {"deeper": ["x"]}}}, EVENT)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ([], "Filter is not an object"),
        ({}, "Empty objects are not allowed"),
        ({"source": "aws.s3"}, '"source" must be an object or an array\n at source'),
        ({"source": []}, "Empty arrays are not allowed\n at source"),
        ({"detail": {"a": {"b": 1}}}, '"b" must be an object or an array\n at detail.a.b'),
        ({"detail": {}}, "Empty objects are not allowed\n at detail"),
        *(
            ({"detail": {"a": [one]}}, f"{message}\n at detail.a")
            for one, message in (
                ({"like": "x"}, "Unrecognized match type like"),
                ({"PREFIX": "x"}, "Unrecognized match type PREFIX"),
                ({}, "Match expression name not found"),
                (["x"], "Match value must be String, number, true, false, or null"),
                ({"prefix": "x", "suffix": "y"}, "Only one key allowed in match expression"),
                ({"prefix": 1}, "prefix match pattern must be a string"),
                ({"suffix": ["x"]}, "suffix match pattern must be a string"),
                ({"prefix": {"suffix": "x"}}, "Unsupported prefix pattern: suffix"),
                ({"suffix": {}}, "Suffix expression name not found"),
                ({"suffix": {"equals-ignore-case": 1}}, "equals-ignore-case match pattern must be a string"),
                ({"equals-ignore-case": ["x"]}, "equals-ignore-case match pattern must be a string"),
                ({"exactly": 1}, "exact match pattern must be a string"),
                ({"exists": "yes"}, "exists match pattern must be either true or false."),
                ({"numeric": 5}, "Value of numeric must be an array."),
                ({"numeric": [5]}, "Invalid member in numeric match: 5"),
                ({"numeric": [">"]}, "Value of > must be numeric"),
                ({"numeric": ["!", 1]}, "Unrecognized numeric range operator: !"),
                ({"numeric": ["=", True]}, "Value of equals must be numeric"),
                ({"numeric": ["<", 1, ">", 0]}, "Too many elements in numeric expression"),
                ({"numeric": [">", 0, ">", 0]}, "Bad numeric range operator: >"),
                ({"numeric": [">", 0, 1]}, "Bad value in numeric range: 1"),
                ({"numeric": [">", 0, "<"]}, "Value of < must be numeric"),
                ({"numeric": [">", 0, "<", 1, "<"]}, "Too many terms in numeric range expression"),
                ({"numeric": [">", 5, "<", 1]}, "Bottom must be less than top"),
                ({"cidr": ["10.0.0.0/8"]}, "prefix match pattern must be a string"),
                ({"cidr": "10.0.0.1"}, "Malformed CIDR, one '/' required"),
                ({"cidr": "10.0.0.0/x"}, "Malformed CIDR, mask bits must be an integer"),
                ({"cidr": "10.0.0.0/-1"}, "Malformed CIDR, mask bits must not be negative"),
                ({"cidr": "10.0.0.0/32"}, "IPv4 mask bits must be < 32"),
                ({"cidr": "2001:db8::/128"}, "IPv6 mask bits must be < 128"),
                ({"cidr": "10.x/8"}, "Nonstandard IP address: 10.x"),
                ({"wildcard": 1}, "wildcard match pattern must be a string"),
                ({"wildcard": "a**b"}, "Consecutive wildcard characters at pos 2"),
                ({"wildcard": "a\\b"}, "Invalid escape character at pos 2"),
                ({"wildcard": "*:*:*:*:*:event-bus/*"}, "Rule is too complex - try using fewer wildcard characters"),
                ({"anything-but": {}}, "Anything-But expression name not found"),
                ({"anything-but": []}, "Inside anything but list, either all values are number or string, mixed"),
                ({"anything-but": ["x", 1]}, "Inside anything but list, either all values are number or string, mixed"),
                ({"anything-but": ["x", None]}, "Inside anything but list, start|null|boolean is not supported."),
                ({"anything-but": True}, "Value of anything-but must be an array or single string/number value."),
                ({"anything-but": {"prefix": ""}}, "Null prefix/suffix not allowed"),
                ({"anything-but": {"suffix": ["x", 1]}}, "prefix/suffix match pattern must be a string"),
                (
                    {"anything-but": {"prefix": {"equals-ignore-case": "x"}}},
                    "Value of anything-but must be an array or",
                ),
                ({"anything-but": {"equals-ignore-case": 1}}, "Inside anything-but/equals-ignore-case list, number|"),
                ({"anything-but": {"wildcard": "**"}}, "Consecutive wildcard characters at pos 1"),
                ({"anything-but": {"wildcard": [1]}}, "wildcard match pattern must be a string"),
                ({"anything-but": {"numeric": ["=", 1]}}, "Unsupported anything-but pattern: numeric"),
            )
        ),
        ({"$or": {"a": ["x"]}}, "It must be an Array followed with $or."),
        ({"$or": [{"a": ["x"]}]}, "There must have at least 2 Objects in $or relationship."),
        ({"$or": [{"a": ["x"]}, {}]}, "Empty objects are not allowed"),
        ({"$or": [{"a": ["x"]}, 1]}, "Only JSON object is allowed in array of $or relationship."),
        ({"$or": [{"a": ["x"]}, {"prefix": ["y"]}]}, "prefix is Ruler reserved fieldName which cannot be used inside"),
    ],
)
def test_invalid_patterns_are_refused_with_the_place(pattern: Any, message: str) -> None:
    words, _, place = message.partition("\n")
    with pytest.raises(InvalidPatternError) as refused:
        check_pattern(pattern)
    assert str(refused.value).startswith(words)
    assert str(refused.value).endswith(place)


@pytest.mark.parametrize(
    "wanted",
    [
        {"anything-but": {"wildcard": ""}},
        {"wildcard": ""},
        {"prefix": ""},
        {"numeric": [">=", -1e3, "<=", 1.5]},
        {"anything-but": {"suffix": [".a", ".b"]}},
        "",
        None,
    ],
)
def test_valid_patterns_at_the_edge(wanted: Any) -> None:
    check_pattern({"detail": {"a": [wanted]}})


@pytest.mark.parametrize(
    ("pattern", "event"),
    [
        ({"detail": {"state.status": ["on"]}}, {"detail": {"state": {"status": "on"}}}),
        ({"detail": {"state": {"status": ["on"]}}}, {"detail": {"state.status": "on"}}),
        ({"detail.state": {"status": ["on"]}}, {"detail": {"state.status": "on"}}),
        ({"detail": {"a.b": [1], "a.c": [{"exists": False}]}}, {"detail": {"a": {"b": 1}, "a.d": 2}}),
    ],
)
def test_a_dot_in_a_name_is_as_good_as_a_step(pattern: Any, event: Any) -> None:
    check_pattern(pattern)
    assert matches(pattern, event)
