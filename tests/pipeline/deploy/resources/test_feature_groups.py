"""A feature group in between, failed, or with differences that AWS can't change in place."""

from __future__ import annotations

import dataclasses
import io
import uuid
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from pipeline.deploy.engine.planner import apply_plan, make_plan
from pipeline.deploy.engine.rendering import print_plan
from pipeline.deploy.engine.resource import Action, Difference, differences
from pipeline.deploy.resources.catalog import Database
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.errors import DeploymentError
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
def test_another_key_is_found_and_can_not_be_put_in_place(aws, made_with, wanted, same):
    name = f"keyed-{uuid.uuid4().hex[:8]}"
    made = dataclasses.replace(GROUP, name=name, kms_key=made_with)
    apply_plan(make_plan([made], aws), aws)
    other = dataclasses.replace(made, kms_key=wanted)
    (change,) = make_plan([other], aws).changes
    assert [item.field for item in change.differences] == ([] if same else ["key"])
    if not same:
        assert change.action is Action.UPDATE
        before = Database(
            name=name.replace("-", "_"),
            arn=f"arn:aws:glue:us-east-1:123456789012:database/{name.replace('-', '_')}",
            description="planned before the group",
            tags={},
        )
        plan = make_plan([before, other], aws)
        with pytest.raises(DeploymentError, match="can't be changed in place: its key is"):
            apply_plan(plan, aws)
        assert before.current(aws) is None, "nothing is changed where something can't be"
        shown = io.StringIO()
        print_plan(plan, Console(file=shown), load_settings("local"))
        assert f"This can't be applied. Feature group {name} can't be changed in place: its key is" in shown.getvalue()
        assert "Apply exactly this plan with" not in shown.getvalue()
    made.delete(aws, keep_data=False)


def test_another_key_is_fine_where_the_group_is_created_again():
    found = {"status": Difference("status", "CreateFailed", "Created"), "key": Difference("key", None, KEY)}
    assert dataclasses.replace(GROUP, kms_key=KEY).refusal(found) is None


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
    with pytest.raises(DeploymentError, match="Records of feature group expiring expire") as caught:
        apply_plan(make_plan([group], aws), aws)
    assert "time_to_live_days" in (caught.value.hint or "")
    other = dataclasses.replace(group, time_to_live_days=30)
    apply_plan(make_plan([other], aws), aws)
    assert make_plan([other], aws).is_empty
    described = aws.sagemaker.describe_feature_group(FeatureGroupName=group.name)
    assert described["OnlineStoreConfig"]["TtlDuration"] == {"Unit": "Days", "Value": 30}
    group.delete(aws, keep_data=False)
