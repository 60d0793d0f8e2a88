from __future__ import annotations

from typing import Any

import pytest

from pipeline.local.events.pattern_checks import InvalidPatternError, check_pattern
from pipeline.local.events.patterns import matches

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
        ([], "not an object"),
        ({}, "Empty patterns"),
        ({"source": "aws.s3"}, '"source" must be an object or an array'),
        ({"source": []}, 'Empty arrays are not allowed at "source"'),
        ({"detail": {"a": {"b": 1}}}, '"detail.a.b" must be'),
        ({"detail": {"a": [{"like": "x"}]}}, "Unrecognized match type like"),
        ({"detail": {"a": [{"prefix": "x", "suffix": "y"}]}}, "Only one key"),
        ({"detail": {"a": [{"numeric": [">"]}]}}, "Value of numeric"),
        ({"detail": {"a": [{"numeric": ["!", 1]}]}}, "Value of numeric"),
        ({"detail": {"a": [{"cidr": "10.0.0.0/99"}]}}, "Value of cidr"),
        ({"detail": {"a": [{"exists": "yes"}]}}, "Value of exists"),
        ({"detail": {"a": [{"anything-but": {}}]}}, "Value of anything-but"),
        ({"detail": {"a": [{"anything-but": []}]}}, "Value of anything-but"),
        ({"detail": {"a": [["x"]]}}, "Inner array"),
        ({"detail": {}}, "Empty objects"),
        ({"detail": {"a": [{"numeric": ["<", 1, ">", 0]}]}}, "Value of numeric"),
        ({"detail": {"a": [{"numeric": [">", 5, "<", 1]}]}}, "Value of numeric"),
        ({"detail": {"a": [{"numeric": ["=", True]}]}}, "Value of numeric"),
        ({"detail": {"a": [{"cidr": "10.0.0.1"}]}}, "Value of cidr"),
        ({"detail": {"a": [{"wildcard": "a**b"}]}}, "Value of wildcard"),
        ({"detail": {"a": [{"wildcard": "a\\b"}]}}, "Value of wildcard"),
        ({"detail": {"a": [{"anything-but": ["x", 1]}]}}, "Value of anything-but"),
        ({"detail": {"a": [{"anything-but": True}]}}, "Value of anything-but"),
        ({"detail": {"a": [{"anything-but": {"prefix": ""}}]}}, "Value of anything-but"),
        ({"detail": {"a": [{"anything-but": {"wildcard": "**"}}]}}, "Value of anything-but"),
        ({"detail": {"a": [{"anything-but": {"numeric": ["=", 1]}}]}}, "Value of anything-but"),
        ({"detail": {"a": [{"prefix": {"suffix": "x"}}]}}, "Value of prefix"),
        ({"$or": {"a": ["x"]}}, '"\\$or" must be an array of objects'),
        ({"$or": [{"a": ["x"]}]}, "at least 2"),
        ({"$or": [{"a": ["x"]}, {}]}, "Empty objects"),
        ({"$or": [{"a": ["x"]}, {"prefix": ["y"]}]}, "prefix is a reserved name"),
    ],
)
def test_invalid_patterns_are_refused_with_the_place(pattern: Any, message: str) -> None:
    with pytest.raises(InvalidPatternError, match=message):
        check_pattern(pattern)
