"""Partition projection: which objects are in which partition."""

from __future__ import annotations

import pytest

from localmaker.services.athena.failures import QueryFailedError
from localmaker.services.athena.projection import projection_of


def projected(keys, location="s3://b/t/", **properties):
    table = {
        "Parameters": {"projection.enabled": "true", **{name.replace("__", "."): v for name, v in properties.items()}},
        "PartitionKeys": [{"Name": key} for key in keys],
        "StorageDescriptor": {"Location": location},
    }
    return projection_of(table)


def test_a_table_without_projection_has_none():
    assert projection_of({"Parameters": {}, "PartitionKeys": [], "StorageDescriptor": {}}) is None


def test_locations_follow_the_template_and_values_the_ranges():
    found = projected(
        ["day", "hour", "kind"],
        storage__location__template="s3://b/t/${kind}/x-${day}/${hour}",
        projection__day__type="date",
        projection__day__format="yyyy/MM",
        projection__day__range="2026/01,NOW",
        projection__hour__type="integer",
        projection__hour__range="0,23",
        projection__hour__digits="2",
        projection__kind__type="enum",
        projection__kind__values="a, b",
    )
    assert found.prefix == "s3://b/t/"
    # A value with a slash is no folder of its own here.
    assert found.values_of("s3://b/t/a/x-2026/01/05/o", ["day", "hour", "kind"]) is None


@pytest.mark.parametrize(
    ("value", "inside"),
    [("2020-01-01", True), ("2019-12-31", False), ("2026-1-1", False), ("2999-01-01", False), ("x", False)],
)
def test_dates_are_in_range_and_in_their_format(value, inside):
    found = projected(
        ["dt"],
        projection__dt__type="date",
        projection__dt__format="yyyy-MM-dd",
        projection__dt__range="2020-01-01,NOW+1DAYS",
    )
    assert found.values_of(f"s3://b/t/dt={value}/o", ["dt"]) == ([value] if inside else None)


def test_numbers_enumerations_and_injected_values():
    found = projected(
        ["n", "kind", "id"],
        projection__n__type="integer",
        projection__n__range="0,10",
        projection__n__interval="5",
        projection__kind__type="enum",
        projection__kind__values="a, b",
        projection__id__type="injected",
    )
    values = [
        found.values_of(f"s3://b/t/n={n}/kind={kind}/id=7/o", ["n", "kind", "id"])
        for n, kind in ((5, "b"), (6, "b"), (5, "c"))
    ]
    assert values == [["5", "b", "7"], None, None]


def test_incomplete_properties_fail_the_query():
    with pytest.raises(QueryFailedError, match="INVALID_TABLE_PROPERTY"):
        projected(["dt"], projection__dt__type="date")
    with pytest.raises(QueryFailedError, match=r"projection\.dt\.\*|projection\.dt\.type is missing"):
        projected(["dt"])
