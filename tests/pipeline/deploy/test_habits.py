"""Deployment under the habits of AWS: lost answers, throttling, aborted calls, new roles, readings that lag."""

from __future__ import annotations

import pytest

from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan, settled_plan
from pipeline.deploy.engine.resource import Action


def differing(things, aws):
    """Return what differs once settings have had time to settle."""
    changes = settled_plan(things, aws, 60).changes
    return [(one.resource.name, one.action, one.differences) for one in changes if one.action is not Action.KEEP]


def assert_gone(things, aws):
    left = settled_plan(things, aws, 0)
    for _ in range(10):
        left = make_plan(things, aws)
    assert {change.action.value for change in left.changes} == {"create"}


@pytest.mark.randomised("habits")
def test_a_deployment_ends_with_an_empty_plan(habitual, stack, seed):
    things = stack("habits", region=habitual.settings.region)
    apply_plan(make_plan(things, habitual), habitual)
    assert differing(things, habitual) == []
    destroy(things, habitual, keep_data=False)
    assert_gone(things, habitual)
    # Names that have just become free are taken again.
    apply_plan(make_plan(things, habitual), habitual)
    assert differing(things, habitual) == []
