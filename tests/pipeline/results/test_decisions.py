"""Decisions about which version scores, on the registry of a running endpoint."""

from __future__ import annotations

import itertools
import os
import threading
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runtime.registry import in_use, metadata, put_in_use
from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.errors import RegistryError
from pipeline.results import decisions
from pipeline.results.decisions import approve, before, consequence, delete, next_moment, reject, roll_back
from pipeline.results.registry import find, packages_of, versions
from pipeline.settings.environment import load_settings

GROUPS = (f"group-{number}" for number in itertools.count())
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        yield Aws(load_settings("local"))


@pytest.fixture
def group(aws):
    name = next(GROUPS)
    aws.sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


@pytest.fixture
def register(aws, group):
    def add(status: str = "PendingManualApproval", **properties: str) -> int:
        arn = aws.sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus=status,
            CustomerMetadataProperties={"scores-new-rows": "yes"} | properties,
            InferenceSpecification={
                "Containers": [{"Image": "i", "ModelDataUrl": "s3://models/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        return int(arn.rpartition("/")[2])

    return add


@pytest.fixture
def in_use_now(aws, group):
    def number() -> int | None:
        found = [version.version for version in versions(aws, group) if version.in_use]
        assert len(found) <= 1
        return found[0] if found else None

    return number


def by_another_client(aws, group: str, number: int, status: str) -> None:
    arn = find(aws, group, number).arn
    aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)


def test_approving_an_older_version_puts_it_in_use(aws, group, register, in_use_now):
    register(), register()
    assert in_use_now() is None
    approve(aws, group, 2)
    assert in_use_now() == 2
    version = approve(aws, group, 1, "  holidays\nare right ")
    assert in_use_now() == 1
    assert (version.approval, version.reason, version.decided_by) == (
        "Approved", "holidays are right", aws.sts.get_caller_identity()["Arn"],
    )  # fmt: skip
    assert abs(version.decided - datetime.now(UTC)) < timedelta(minutes=1)
    assert find(aws, group, 2).approval == "Approved"


def test_what_another_client_approves_counts_from_then_on(aws, group, register, in_use_now):
    register(), register(), register()
    approve(aws, group, 3)
    by_another_client(aws, group, 1, "Approved")
    assert in_use_now() == 1
    approve(aws, group, 2)
    assert in_use_now() == 2


def test_rolling_back_goes_further_back_each_time(aws, group, register, in_use_now):
    for _ in range(3):
        approve(aws, group, register())
    version, left = roll_back(aws, group, "too high on Mondays")
    assert (version.version, left.version, in_use_now()) == (2, 3, 2)
    assert (version.reason, version.properties["rolled-back-from"]) == ("too high on Mondays", "3")
    assert roll_back(aws, group)[0].properties["rolled-back-from"] == "2 3"
    assert in_use_now() == 1
    with pytest.raises(RegistryError, match=r"Version 1 of .* is in use, and there is none before it"):
        roll_back(aws, group)
    # An approval begins anew.
    approved = approve(aws, group, 1)
    assert "rolled-back-from" not in approved.properties
    assert roll_back(aws, group)[0].version == 2


def test_a_version_that_was_left_twice_is_not_gone_back_to(aws, group, register, in_use_now):
    for _ in range(3):
        approve(aws, group, register())
    roll_back(aws, group)
    roll_back(aws, group)
    approve(aws, group, register())
    assert roll_back(aws, group)[0].version == 1
    with pytest.raises(RegistryError, match="none before it"):
        roll_back(aws, group)
    assert in_use_now() == 1


def test_rejected_and_deleted_versions_are_not_gone_back_to(aws, group, register, in_use_now):
    for _ in range(4):
        approve(aws, group, register())
    reject(aws, group, 3, "wrong")
    delete(aws, find(aws, group, 2))
    assert roll_back(aws, group)[0].version == 1
    assert in_use_now() == 1


def test_without_a_version_in_use_there_is_nothing_to_go_back_from(aws, group, register):
    register()
    with pytest.raises(RegistryError, match=r"No version of .* is in use") as refused:
        roll_back(aws, group)
    assert f"model list --group {group}" in refused.value.hint


def test_rejecting_the_version_in_use_leaves_the_one_before(aws, group, register, in_use_now):
    approve(aws, group, register(profile="forecast"))
    approve(aws, group, register())
    said = consequence(aws, group, 2).question
    assert said == "Version 2 is in use. Without it, version 1 (profile forecast) scores."
    version = reject(aws, group, 2, "too high")
    assert (version.approval, version.reason, version.in_use) == ("Rejected", "too high", False)
    assert "in-use-since" not in version.properties
    assert version.decided_by == aws.sts.get_caller_identity()["Arn"]
    assert in_use_now() == 1
    assert "Without it, nothing scores: files to score fail" in consequence(aws, group, 1).question
    assert not consequence(aws, group, 2).question


def test_a_rejected_version_that_is_approved_by_another_client_counts_from_then(aws, group, register, in_use_now):
    approve(aws, group, register())
    reject(aws, group, 1, "wrong")
    approve(aws, group, register())
    by_another_client(aws, group, 1, "Approved")
    assert in_use_now() == 1


def test_a_version_that_is_not_there_is_neither_rejected_nor_approved(aws, group, register):
    register()
    for decide in (lambda: reject(aws, group, 7, "wrong"), lambda: approve(aws, group, 7)):
        with pytest.raises(RegistryError, match="has no version 7; there are: 1"):
            decide()


def test_a_deleted_version_may_be_deleted_again(aws, group, register):
    register()
    version = find(aws, group, 1)
    delete(aws, version)
    delete(aws, version)
    with pytest.raises(RegistryError, match="has no version 1; there are: none yet"):
        find(aws, group, 1)


@pytest.mark.parametrize("by_us", [True, False])
def test_a_version_that_can_score_no_new_file_is_never_in_use(aws, group, register, in_use_now, by_us):
    approve(aws, group, register())
    register(profile="parity", **{"scores-new-rows": "no: casual registered"})
    if by_us:
        with pytest.raises(RegistryError, match="it takes casual and registered") as refused:
            approve(aws, group, 2)
        assert "Approve a version of another profile" in refused.value.hint
        assert find(aws, group, 2).approval == "PendingManualApproval"
    else:
        by_another_client(aws, group, 2, "Approved")
    assert in_use_now() == 1
    with pytest.raises(RegistryError, match="none before it"):
        roll_back(aws, group)


def test_a_reason_that_aws_would_cut_is_refused(aws, group, register):
    register()
    with pytest.raises(RegistryError, match=r"1,025 characters, and AWS keeps 1,024\. Nothing was changed"):
        approve(aws, group, 1, "x" * 1025)
    assert find(aws, group, 1).approval == "PendingManualApproval"


def test_a_decision_without_a_reason_keeps_none_of_before(aws, group, register):
    register()
    reject(aws, group, 1, "wrong")
    assert approve(aws, group, 1).reason == decisions.NO_REASON


def test_people_who_decide_at_once_leave_one_in_use_and_all_know_which(aws, group, register, in_use_now):
    for _ in range(4):
        register()
    told, start = {}, threading.Barrier(4)

    def decide(number: int) -> None:
        start.wait()
        try:
            told[number] = approve(aws, group, number).version
        except RegistryError as error:
            told[number] = str(error)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_use_now() in {1, 2, 3, 4}
    last = told[in_use_now()]
    assert last == in_use_now() or "Somebody else decided" in str(last)
    for number, answer in told.items():
        assert answer == number or "Somebody else decided at the same time" in answer


def test_the_one_who_lost_is_told_what_is_in_use(aws, group, register, monkeypatch):
    register(), register()
    stale = packages_of(aws, group)
    approve(aws, group, 2)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(decisions, "_who_and_when", lambda _: ("ann", ahead))
    approve(aws, group, 2)
    monkeypatch.undo()
    real, listings = decisions.packages_of, iter([stale])
    monkeypatch.setattr(decisions, "packages_of", lambda *of: next(listings, None) or real(*of))
    with pytest.raises(RegistryError, match="version 1 is Approved, not in use; version 2 is, by ann"):
        approve(aws, group, 1)


def test_a_clock_that_is_ahead_does_not_keep_a_later_decision_from_counting(aws, group, register, in_use_now):
    register(), register()
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    aws.sagemaker.update_model_package(
        ModelPackageArn=find(aws, group, 1).arn,
        ModelApprovalStatus="Approved",
        CustomerMetadataProperties={"in-use-since": ahead},
    )
    approve(aws, group, 2)
    assert in_use_now() == 2
    roll_back(aws, group)
    assert in_use_now() == 1


@pytest.mark.randomised("habits")
def test_lost_answers_and_throttling_leave_what_was_decided(tmp_path, seed):
    with running_endpoint(tmp_path) as endpoint, mock.patch.dict(os.environ, endpoint.environment()):
        quiet = Aws(load_settings("local"))
        quiet.sagemaker.create_model_package_group(ModelPackageGroupName="bikes")
        for _ in range(3):
            quiet.sagemaker.create_model_package(
                ModelPackageGroupName="bikes", CustomerMetadataProperties={"scores-new-rows": "yes"}
            )
    with (
        running_endpoint(tmp_path, habits=seed) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        aws = Aws(load_settings("local"))
        for number in (2, 3, 1):
            assert approve(aws, "bikes", number).in_use
        assert roll_back(aws, "bikes")[0].version == 3
        assert roll_back(aws, "bikes")[0].version == 2
        assert reject(aws, "bikes", 2, "wrong").approval == "Rejected"
        delete(aws, find(aws, "bikes", 3))
        found = {version.version: (version.approval, version.in_use) for version in versions(aws, "bikes")}
        assert found == {1: ("Approved", True), 2: ("Rejected", False)}


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00+14:00", "yesterday"])
def test_a_moment_that_no_clock_shows_counts_as_none(since):
    """Others may write what they like; a version with the last moment of all could never be left."""
    package = {
        "ModelPackageVersion": 1,
        "ModelApprovalStatus": "Approved",
        "LastModifiedTime": NOON,
        "CustomerMetadataProperties": {"in-use-since": since},
    }
    assert next_moment([package], NOON) == "2026-12-01T12:00:00.001Z"


DECISIONS = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["approve", "reject", "rollback"])), max_size=12)


@given(DECISIONS, st.lists(st.integers(-3600, 3600), min_size=12, max_size=12))
def test_a_decision_is_later_than_every_earlier_one_whatever_the_clocks(steps, clocks):
    """Versions as a model: what a decision writes, by clocks that differ by up to an hour."""
    packages = {
        number: {"ModelPackageVersion": number, "ModelApprovalStatus": "PendingManualApproval", "CreationTime": NOON}
        for number in range(1, 5)
    }
    for (number, step), seconds in zip(steps, clocks, strict=False):
        moment = next_moment(packages.values(), NOON + timedelta(seconds=seconds))
        chosen = packages[number]
        if step == "rollback":
            current, earlier = in_use(packages.values()), before(packages.values())
            if current is None or earlier is None:
                continue
            assert earlier is not current
            left = decisions.numbers_rolled_back_from(packages.values(), current, earlier)
            assert str(current["ModelPackageVersion"]) in left.split()
            chosen = packages[earlier["ModelPackageVersion"]]
            written = {"in-use-since": moment, "rolled-back-from": left}
        else:
            written = {"in-use-since": moment} if step == "approve" else {}
        earlier_ones = [put_in_use(one) for one in packages.values() if "in-use-since" in metadata(one)]
        chosen["ModelApprovalStatus"] = "Rejected" if step == "reject" else "Approved"
        chosen["CustomerMetadataProperties"] = written
        if step != "reject":
            assert in_use(packages.values()) is chosen
            assert all(put_in_use(chosen)[0] > since for since, _ in earlier_ones)
