"""A feature group in between, failed, or with differences that AWS can't change in place."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import uuid
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from pipeline.aws.states import Waiting
from pipeline.deploy.engine.planner import apply_plan, make_plan
from pipeline.deploy.engine.rendering import plan_as_json, print_plan
from pipeline.deploy.engine.resource import Action, Difference, Removal, differences
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.errors import DeploymentError, TooSlowError
from pipeline.settings.environment import load_settings

KEY = "arn:aws:kms:us-east-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"
GROUP = FeatureGroup(
    name="daily",
    record_identifier="day",
    event_time="event_time",
    features={"day": "String", "event_time": "String"},
    role_arn="arn:aws:iam::123456789012:role/r",
    kms_key=None,
    tags={},
)
OFFLINE = dataclasses.replace(GROUP, name="kept", offline_uri="s3://kept-artifacts/feature-store")


class FailingSageMaker:
    """A feature group in states that the local endpoint never reaches."""

    def __init__(self, *states):
        self.states = list(states)
        self.calls = []

    def describe_feature_group(self, **_):
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        if state is None:
            raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": "no"}}, "DescribeFeatureGroup")
        return {
            "FeatureGroupArn": "arn:aws:sagemaker:us-east-1:123456789012:feature-group/daily",
            "RecordIdentifierFeatureName": "day",
            "EventTimeFeatureName": "event_time",
            "FeatureDefinitions": [{"FeatureName": key, "FeatureType": "String"} for key in GROUP.features],
            "OnlineStoreConfig": {"EnableOnlineStore": True},
            "FeatureGroupStatus": state,
            "FailureReason": "the role can't be assumed",
        }

    def get_paginator(self, _):
        return SimpleNamespace(paginate=lambda **_: [{"Tags": []}])

    def create_feature_group(self, **_):
        self.calls.append("create")

    def delete_feature_group(self, **_):
        self.calls.append("delete")


def planned(*states):
    """Return clients whose feature group goes through the states, and the differences that a plan finds."""
    aws = SimpleNamespace(sagemaker=FailingSageMaker(*states))
    return aws, {item.field: item for item in differences(GROUP.current(aws), GROUP.desired())}


def test_a_group_that_could_not_be_created_is_created_again():
    aws, found = planned("CreateFailed", None, "Creating", "Created")
    assert found == {"status": Difference("status", "CreateFailed", "Created")}
    GROUP.update(aws, found)
    assert aws.sagemaker.calls == ["delete", "create"]


def test_a_group_that_is_being_made_is_waited_for():
    aws, found = planned("Creating", "Creating", "Created")
    assert list(found) == ["status"]
    GROUP.update(aws, found)
    assert aws.sagemaker.calls == []


def test_a_group_that_is_going_is_made_again_once_it_is_gone():
    aws, found = planned("Deleting", "Deleting", None, "Created")
    GROUP.update(aws, found)
    assert aws.sagemaker.calls == ["create"]


def test_a_group_that_fails_again_says_why():
    aws, found = planned("CreateFailed", None, "Creating", "CreateFailed")
    with pytest.raises(DeploymentError, match="is CreateFailed: the role can't be assumed"):
        GROUP.update(aws, found)


def test_a_group_that_is_going_is_not_asked_to_go_again():
    aws, _ = planned("Deleting")
    aws.sagemaker.states = ["Deleting", "Deleting", None]
    assert GROUP.delete(aws, keep_data=False)
    assert aws.sagemaker.calls == []


@pytest.mark.parametrize(
    ("made_with", "wanted", "same"),
    [
        (None, None, True),
        (None, "alias/mine", False),
        (KEY, None, False),
        (KEY, KEY, True),
        (KEY, KEY.rpartition("/")[2], True),
        (KEY, KEY.replace("89ab", "89ac"), False),
        ("alias/mine", "arn:aws:kms:us-east-1:123456789012:alias/mine", True),
        ("alias/mine", "alias/other", False),
        # Which key an alias is of, only KMS knows.
        (KEY, "alias/mine", True),
    ],
)
def test_another_key_takes_another_group(aws, made_with, wanted, same):
    name = f"keyed-{uuid.uuid4().hex[:8]}"
    made = dataclasses.replace(GROUP, name=name, kms_key=made_with)
    apply_plan(make_plan([made], aws), aws)
    other = dataclasses.replace(made, kms_key=wanted)
    (change,) = make_plan([other], aws).changes
    assert [item.field for item in change.differences] == ([] if same else ["key"])
    assert change.action is (Action.KEEP if same else Action.REPLACE)
    made.delete(aws, keep_data=False)


def test_what_can_not_be_changed_is_replaced_and_said_to_be_destructive(aws):
    made = dataclasses.replace(GROUP, name="replaced", kms_key=KEY)
    apply_plan(make_plan([made], aws), aws)
    values = [{"FeatureName": name, "ValueAsString": "2026-01-01T00:00:00Z"} for name in GROUP.features]
    aws.feature_store.put_record(FeatureGroupName="replaced", Record=values)
    other = dataclasses.replace(made, kms_key=None)
    plan = make_plan([other], aws)
    shown = io.StringIO()
    print_plan(plan, Console(file=shown, width=200), load_settings("local"))
    assert "± feature group" in shown.getvalue()
    assert f"{plan.identity}: 0 to create, 0 to change, 1 to replace, 0 unchanged." in shown.getvalue()
    assert (
        "DESTRUCTIVE: feature group replaced is replaced: AWS can't change that its key is arn:aws" in shown.getvalue()
    )
    assert "Its online records are lost" in shown.getvalue()
    written = plan_as_json(plan, "us-east-1")
    assert (written["destructive"], written["changes"][0]["action"]) == (True, "replace")
    apply_plan(plan, aws)
    assert make_plan([other], aws).is_empty
    found = aws.feature_store.get_record(
        FeatureGroupName="replaced", RecordIdentifierValueAsString=values[0]["ValueAsString"]
    )
    assert "Record" not in found
    other.delete(aws, keep_data=False)


def test_a_group_that_differs_by_now_is_not_replaced_unasked(aws):
    """Planned to be created, while somebody creates another of that name."""
    group = dataclasses.replace(GROUP, name="raced")
    plan = make_plan([group], aws)
    dataclasses.replace(group, features={"day": "Integral", "event_time": "String"}).create(aws)
    with pytest.raises(DeploymentError, match="Feature group raced would have to be replaced by now"):
        apply_plan(plan, aws)
    group.delete(aws, keep_data=False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"features": {"day": "Integral", "event_time": "String"}}, "it has feature 'day' of type String"),
        ({"features": {"event_time": "String"}}, "it has feature 'day' of type String"),
        ({"record_identifier": "event_time"}, "its record identifier is day"),
        ({"event_time": "day"}, "its event time is event_time"),
        ({"online": False}, "it has an online store"),
        ({"offline_uri": None}, "it has an offline store"),
        ({"offline_uri": "s3://kept-artifacts/other"}, "it has an offline store at s3://kept-artifacts/feature-store"),
    ],
)
def test_what_takes_a_replacement(aws, change, reason):
    aws_bucket(aws)
    apply_plan(make_plan([OFFLINE], aws), aws)
    (found,) = make_plan([dataclasses.replace(OFFLINE, **change)], aws).changes
    assert found.action is Action.REPLACE
    assert reason in found.note
    assert "offline data below s3://kept-artifacts/feature-store and their table stay" in found.note


def aws_bucket(aws):
    with contextlib.suppress(aws.s3.exceptions.BucketAlreadyOwnedByYou):
        aws.s3.create_bucket(Bucket="kept-artifacts")


def test_the_offline_store_is_switched_on_only_for_a_new_group(aws):
    aws_bucket(aws)
    online = dataclasses.replace(OFFLINE, name="later", offline_uri=None)
    apply_plan(make_plan([online], aws), aws)
    both = dataclasses.replace(OFFLINE, name="later")
    plan = make_plan([both], aws)
    assert "it has no offline store" in plan.changes[0].note
    apply_plan(plan, aws)
    assert make_plan([both], aws).is_empty
    found = aws.sagemaker.describe_feature_group(FeatureGroupName="later")
    storage = found["OfflineStoreConfig"]["S3StorageConfig"]
    assert storage["ResolvedOutputS3Uri"].startswith("s3://kept-artifacts/feature-store/")
    assert found["OfflineStoreConfig"]["DisableGlueTableCreation"] is False
    apply_plan(make_plan([dataclasses.replace(both, record_identifier="event_time")], aws), aws)
    assert len(both.tables(aws)) == 2, "that of the group before is still there"
    assert both.delete(aws, keep_data=True) is Removal.HOLDS_DATA
    assert len(both.tables(aws)) == 2
    assert both.delete(aws, keep_data=False)
    assert both.tables(aws) == []


def test_a_store_that_is_only_offline(aws):
    aws_bucket(aws)
    group = dataclasses.replace(OFFLINE, name="history", online=False, kms_key=KEY)
    apply_plan(make_plan([group], aws), aws)
    assert make_plan([group], aws).is_empty
    found = aws.sagemaker.describe_feature_group(FeatureGroupName="history")
    assert found["OfflineStoreConfig"]["S3StorageConfig"]["KmsKeyId"] == KEY
    assert "OnlineStoreConfig" not in found
    group.delete(aws, keep_data=False)


def test_an_offline_store_that_aws_does_not_write_to_is_a_difference_with_its_reason():
    aws = SimpleNamespace(sagemaker=FailingSageMaker("Created"))
    described = aws.sagemaker.describe_feature_group()
    storage = {"S3StorageConfig": {"S3Uri": OFFLINE.offline_uri}}
    blocked = {"Status": "Blocked", "BlockedReason": "the role may not write there"}
    described |= {"OfflineStoreConfig": storage, "OfflineStoreStatus": blocked}
    aws.sagemaker.describe_feature_group = lambda **_: described
    found = {item.field: item for item in differences(OFFLINE.current(aws), OFFLINE.desired())}
    assert list(found) == ["offline store"]
    assert found["offline store"].current["status"] == "Blocked"
    assert OFFLINE.replacement(found) is None
    with pytest.raises(DeploymentError, match="kept is Blocked: the role may not write there"):
        OFFLINE.update(aws, found)


def test_a_wait_that_takes_too_long_names_the_state_it_saw_last():
    seen = []
    aws, _ = planned("Creating")
    slow = dataclasses.replace(GROUP, waiting=Waiting(0.2, seen.append))
    with pytest.raises(TooSlowError, match=r"Feature group daily is still Creating after 0\.2 seconds"):
        slow.create(aws)
    assert seen == ["Creating"]


def test_another_key_is_fine_where_the_group_is_created_again():
    found = {"status": Difference("status", "CreateFailed", "Created"), "key": Difference("key", None, KEY)}
    assert dataclasses.replace(GROUP, kms_key=KEY).replacement(found) is None


def test_records_expire_when_the_settings_say_so(aws):
    group = dataclasses.replace(GROUP, name="born-to-expire", time_to_live_days=7)
    apply_plan(make_plan([group], aws), aws)
    assert make_plan([group], aws).is_empty
    (change,) = make_plan([dataclasses.replace(group, time_to_live_days=8)], aws).changes
    assert [item.field for item in change.differences] == ["time to live"]
    group.delete(aws, keep_data=False)


def test_an_expiry_set_by_hand_is_found(aws):
    group = dataclasses.replace(GROUP, name="expiring")
    apply_plan(make_plan([group], aws), aws)
    ends = {"Unit": "Days", "Value": 1}
    aws.sagemaker.update_feature_group(FeatureGroupName=group.name, OnlineStoreConfig={"TtlDuration": ends})
    group._wait(aws)
    (change,) = make_plan([group], aws).changes
    assert change.differences == (Difference("time to live", ends, None),)
    assert change.action is Action.REPLACE
    assert "its records expire after 1 Days (see [features] time_to_live_days)" in change.note
    other = dataclasses.replace(group, time_to_live_days=30)
    apply_plan(make_plan([other], aws), aws)
    assert make_plan([other], aws).is_empty
    described = aws.sagemaker.describe_feature_group(FeatureGroupName=group.name)
    assert described["OnlineStoreConfig"]["TtlDuration"] == {"Unit": "Days", "Value": 30}
    group.delete(aws, keep_data=False)
