"""What somebody changes by hand is found, in each kind of resource, and set right again."""

from __future__ import annotations

import pytest

from pipeline.deploy.engine.planner import apply_plan, make_plan
from pipeline.deploy.engine.resource import Action
from tests.pipeline.deploy.by_hand import BY_HAND

pytestmark = pytest.mark.xdist_group("deploy")


@pytest.fixture(scope="module")
def deployed(aws, stack_factory):
    """Deploy a whole stack; each test leaves it as it found it."""
    things = stack_factory("drifting")
    apply_plan(make_plan(things, aws), aws)
    return things


def test_every_kind_has_a_case(deployed):
    assert {kind for kind, _, _ in BY_HAND.values()} == {thing.kind for thing in deployed}


@pytest.mark.parametrize("case", BY_HAND)
def test_a_change_by_hand_is_found_and_set_right(aws, deployed, case):
    kind, field, change_by_hand = BY_HAND[case]
    # The last rule is a trigger; the first bucket is the raw one.
    ordered = reversed(deployed) if kind == "rule" else deployed
    thing = next(thing for thing in ordered if thing.kind == kind)
    change_by_hand(aws, thing)
    plan = make_plan([thing], aws)
    (change,) = plan.changes
    assert change.action is Action.UPDATE
    assert [difference.field for difference in change.differences] == [field]
    apply_plan(plan, aws)
    assert make_plan([thing], aws).is_empty


KINDS = sorted({kind for kind, _, _ in BY_HAND.values()})


@pytest.mark.parametrize("kind", KINDS)
def test_what_somebody_removed_is_made_again(aws, deployed, kind):
    # A database goes with the tables in it.
    inside = {"table", "view"} if kind == "database" else set()
    gone = [thing for thing in deployed if thing.kind in {kind, *inside}]
    gone = gone if kind == "database" else gone[-1:]
    for thing in reversed(gone):
        assert thing.delete(aws, keep_data=False)
    plan = make_plan(gone, aws)
    assert {change.action for change in plan.changes} == {Action.CREATE}
    apply_plan(plan, aws)
    assert make_plan(gone, aws).is_empty
