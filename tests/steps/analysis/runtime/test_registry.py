"""Which version of a model package group is in use: one, whoever asks, in whatever order the versions are listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runtime import registry
from analysis.runtime.registry import Package, in_use, never_known, put_in_use, scores_new_rows, who_decided

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
METADATA = "CustomerMetadataProperties"


def version(number: int, status: str = "Approved", *, minutes: float = 0, **metadata: str) -> dict[str, Any]:
    """Describe a version that was last modified so many minutes after noon."""
    return {
        "ModelPackageVersion": number,
        "ModelApprovalStatus": status,
        "CreationTime": NOON - timedelta(days=1),
        "LastModifiedTime": NOON + timedelta(minutes=minutes),
        METADATA: {name.replace("_", "-"): value for name, value in metadata.items()},
    }


def since(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number_in_use(*versions: Package) -> int | None:
    found = in_use(versions)
    return None if found is None else found["ModelPackageVersion"]


VERSIONS = st.lists(
    st.builds(
        lambda status, minutes, decided, new_rows: (status, minutes, decided, new_rows),
        st.sampled_from(["Approved", "Rejected", "PendingManualApproval"]),
        st.integers(0, 3),
        st.none() | st.integers(0, 3),
        st.sampled_from([None, "yes", "no", "no: casual"]),
    ),
    max_size=6,
).map(
    lambda found: [
        version(
            number,
            status,
            minutes=minutes,
            **({} if decided is None else {"in_use_since": since(decided)}),
            **({} if new_rows is None else {"scores_new_rows": new_rows}),
        )
        for number, (status, minutes, decided, new_rows) in enumerate(found, start=1)
    ]
)


@given(VERSIONS, st.randoms(use_true_random=False))
def test_one_or_none_is_in_use_in_whatever_order_they_are_listed(versions, random) -> None:
    found = in_use(versions)
    shuffled = random.sample(versions, len(versions))
    assert in_use(shuffled) == found
    able = [
        one
        for one in versions
        if one["ModelApprovalStatus"] == "Approved" and not one[METADATA].get("scores-new-rows", "").startswith("no")
    ]
    assert (found is None) == (not able)
    if found is not None:
        assert found in able
        assert all(put_in_use(one) <= put_in_use(found) for one in able)


@given(VERSIONS.filter(lambda versions: in_use(versions) is not None))
def test_whatever_is_put_in_use_later_than_all_is_in_use(versions) -> None:
    chosen = versions[0]
    later = {**chosen, "ModelApprovalStatus": "Approved", METADATA: {"in-use-since": since(99)}}
    assert number_in_use(*versions[1:], later) == chosen["ModelPackageVersion"]


def test_an_approval_by_another_client_counts_from_its_moment() -> None:
    ours = version(1, minutes=30, in_use_since=since(10))
    assert number_in_use(ours, version(2, minutes=20)) == 2
    assert number_in_use(ours, version(2, minutes=5)) == 1


def test_a_version_that_was_registered_as_approved_counts_from_its_registration() -> None:
    registered = {**version(2), "LastModifiedTime": None}
    assert put_in_use(registered)[0] == NOON - timedelta(days=1)
    assert number_in_use(registered, version(1)) == 1


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_moment_that_can_not_be_read_is_none(text) -> None:
    assert put_in_use(version(1, minutes=7, in_use_since=text))[0] == NOON + timedelta(minutes=7)


def test_a_moment_without_a_zone_is_in_utc() -> None:
    assert put_in_use(version(1, in_use_since="2026-12-01T12:00:00"))[0] == NOON


@pytest.mark.parametrize(
    ("text", "able", "columns"),
    [
        ("yes", True, []),
        ("no: casual registered", False, ["casual", "registered"]),
        ("no", False, []),
    ],
)
def test_what_a_version_says_of_new_rows(text, able, columns) -> None:
    package = version(1, scores_new_rows=text)
    assert (scores_new_rows(package), never_known(package)) == (able, columns)


def test_what_is_said_of_new_rows_is_read_back() -> None:
    assert registry.scores_new_rows_in_words([]) == "yes"
    said = registry.scores_new_rows_in_words(["casual", "registered"])
    assert never_known(version(1, scores_new_rows=said)) == ["casual", "registered"]


def test_who_decided_is_whoever_did_last() -> None:
    ours = version(1, in_use_since=since(0), decided_by="ann")
    studio = {"UserProfileName": "bob", "IamIdentity": {"Arn": "arn:role"}}
    console = {"IamIdentity": {"Arn": "arn:role"}}
    assert who_decided({**ours, "LastModifiedBy": console}) == "ann"
    assert who_decided({**ours, "ModelApprovalStatus": "Rejected", "LastModifiedBy": console}) == "arn:role"
    assert who_decided({**version(1), "LastModifiedBy": studio}) == "bob"
    assert who_decided(version(2, "Rejected", decided_by="ann")) == "ann"
    assert who_decided(version(3, decided_by="ann")) == ""
