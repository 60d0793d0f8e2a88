"""Deployment and removal killed at every call, one kind of resource after the other, and then repeated."""

from __future__ import annotations

import itertools

import pytest

from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan
from pipeline.deploy.engine.resource import Action
from pipeline.deploy.resources.feature_groups import FeatureGroup
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.deploy.resources.rules import Rule
from pipeline.deploy.resources.schedules import Schedule

pytestmark = pytest.mark.xdist_group("deploy")

# What has to be there before one of the kind can be made; the local endpoint asks for less than AWS does.
NEEDS = {
    "table": {"database"},
    "view": {"database", "table"},
    "code": {"bucket"},
    "wheels": {"bucket"},
    "function": {"bucket", "code", "role"},
    "rule": {"pipeline"},
    "schedule": {"pipeline"},
}
KINDS = [
    "bucket",
    "role",
    "feature group",
    "model package group",
    "database",
    "table",
    "view",
    "log group",
    "queue",
    "topic",
    "alarm",
    "code",
    "wheels",
    "function",
    "pipeline",
    "rule",
    "schedule",
]


def one_of(stack, kind):
    """Return the first resource of a kind, after what it depends on."""
    chosen = next(thing for thing in reversed(stack) if thing.kind == kind)
    needed = [thing for thing in stack if thing.kind in NEEDS.get(kind, ())]
    if kind in {"code", "wheels"}:
        needed = [thing for thing in needed if thing.name == chosen.bucket]
    if kind == "function":
        own = {chosen.code_bucket, chosen.role_arn.rpartition("/")[2]}
        needed = [thing for thing in needed if thing.kind == "code" or thing.name in own]
        assert [thing.kind for thing in needed] == ["bucket", "role", "code"]
    return [*needed, chosen]


def assert_nothing_starts_what_is_not_there(things, aws):
    for trigger in (thing for thing in things if isinstance(thing, (Rule, Schedule)) and thing.starts):
        state = trigger.current(aws)
        if state is None or state["state"] != "ENABLED":
            continue
        pipeline = next(thing for thing in things if isinstance(thing, Pipeline) and thing.arn == trigger.starts)
        assert pipeline.current(aws) is not None, f"{trigger.name} is enabled and {pipeline.name} is not there"


def tables_of(things, aws):
    """Return what the Feature Store has made of the groups, and leaves when they go."""
    return [table for thing in things if isinstance(thing, FeatureGroup) for table in thing.tables(aws)]


def test_every_kind_is_tried(stack):
    assert {thing.kind for thing in stack("p")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_call_and_repeated(aws, stack, killed, kind):
    things = one_of(stack(f"kill-{KINDS.index(kind)}"), kind)
    for calls in itertools.count():
        plan = make_plan(things, aws)
        aws.calls_left = calls
        try:
            apply_plan(plan, aws)
        except killed:
            assert_nothing_starts_what_is_not_there(things, aws)
            apply_plan(make_plan(things, aws), aws)
            finished = False
        else:
            finished = True
        aws.calls_left = None
        assert make_plan(things, aws).is_empty
        aws.calls_left = calls
        try:
            destroy(things, aws, keep_data=False)
        except killed:
            assert_nothing_starts_what_is_not_there(things, aws)
            destroy(things, aws, keep_data=False)
            finished = False
        aws.calls_left = None
        assert [thing.name for thing in things if thing.current(aws) is not None] == []
        assert tables_of(things, aws) == []
        if finished:
            return


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_killed_at_any_call_changes_nothing(aws, stack, killed, kind):
    """Drift is the same plan, so this is both."""
    things = one_of(stack(f"look-{KINDS.index(kind)}"), kind)
    for made in (False, True):
        if made:
            apply_plan(make_plan(things, aws), aws)
        whole = make_plan(things, aws)
        for calls in itertools.count():
            aws.calls_left = calls
            try:
                make_plan(things, aws)
            except killed:
                aws.calls_left = None
                assert make_plan(things, aws) == whole
            else:
                aws.calls_left = None
                break
        assert calls > 0
    destroy(things, aws, keep_data=False)


@pytest.mark.parametrize(("kind", "calls"), [("rule", 1), ("schedule", 2)])
def test_a_trigger_rests_while_its_pipeline_is_away(aws, stack, killed, kind, calls):
    things = [thing for thing in stack(f"orphan-{kind}") if thing.kind in {"pipeline", kind}]
    apply_plan(make_plan(things, aws), aws)
    pipeline = next(thing for thing in things if isinstance(thing, Pipeline))
    pipeline.delete(aws, keep_data=True)  # by hand
    plan = make_plan(things, aws)
    assert [change.action for change in plan.changes if change.action is not Action.KEEP] == [
        Action.PAUSE,
        Action.CREATE,
        Action.UPDATE,
    ]
    aws.calls_left = calls  # the trigger rests, and making the pipeline is as far as it gets
    with pytest.raises(killed):
        apply_plan(plan, aws)
    assert_nothing_starts_what_is_not_there(things, aws)
    apply_plan(make_plan(things, aws), aws)
    assert make_plan(things, aws).is_empty
    destroy(things, aws, keep_data=True)
