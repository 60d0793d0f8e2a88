"""Deployment under the habits of AWS: lost answers, throttling, aborted calls, new roles, readings that lag."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from unittest import mock

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.retries import LOCAL
from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan, settled_plan
from pipeline.settings.environment import load_settings
from tests.pipeline.deploy.conftest import BreakableAws
from tests.pipeline.deploy.test_interruptions import KINDS, assert_no_rule_starts_what_is_not_there, one_of

#: Outside us-east-1, where creating a bucket again is an error.
REGION = "eu-west-1"


@pytest.fixture
def habitual(seed, tmp_path) -> Iterator[BreakableAws]:
    """Clients of an endpoint that has the habits of a seed."""
    with (
        mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}),
        running_endpoint(tmp_path, habits=seed) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        yield BreakableAws(load_settings("local").model_copy(update={"region": REGION}))


def settled(things, aws):
    return settled_plan(things, aws, LOCAL.patience)


def assert_gone(things, aws):
    left = settled_plan(things, aws, 0)
    for _ in range(10):
        left = make_plan(things, aws)
    assert {change.action.value for change in left.changes} == {"create"}


@pytest.mark.randomised("habits")
def test_a_deployment_ends_with_an_empty_plan(habitual, stack, seed):
    things = stack("habits", region=REGION)
    apply_plan(make_plan(things, habitual), habitual)
    assert settled(things, habitual).is_empty
    destroy(things, habitual, keep_data=False)
    assert_gone(things, habitual)
    # Names that have just become free are taken again.
    apply_plan(make_plan(things, habitual), habitual)
    assert settled(things, habitual).is_empty


@pytest.mark.slow
@pytest.mark.randomised("habits")
def test_killed_at_any_call_and_repeated(habitual, stack, killed, seed):
    """The same for one kind of resource after the other, killed at each of its calls."""
    aws = habitual
    for kind in KINDS:
        things = one_of(stack(f"kill-{KINDS.index(kind)}", region=REGION), kind)
        for calls in itertools.count():
            plan = make_plan(things, aws)
            aws.calls_left = calls
            try:
                apply_plan(plan, aws)
            except killed:
                assert_no_rule_starts_what_is_not_there(things, aws)
                apply_plan(make_plan(things, aws), aws)
                finished = False
            else:
                finished = True
            aws.calls_left = None
            assert settled(things, aws).is_empty
            destroy(things, aws, keep_data=False)
            if finished:
                break
