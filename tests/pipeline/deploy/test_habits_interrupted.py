"""Deployment under the habits of AWS, killed at each of its calls, and then repeated."""

from __future__ import annotations

import itertools

import pytest

from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan, settled_plan
from tests.pipeline.deploy.test_interruptions import KINDS, assert_no_rule_starts_what_is_not_there, one_of


@pytest.mark.slow
@pytest.mark.randomised("habits")
def test_killed_at_any_call_and_repeated(habitual, stack, killed, seed):
    """The same for one kind of resource after the other, killed at each of its calls."""
    aws = habitual
    for kind in KINDS:
        things = one_of(stack(f"kill-{KINDS.index(kind)}", region=aws.settings.region), kind)
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
            assert settled_plan(things, aws, 60).is_empty
            destroy(things, aws, keep_data=False)
            if finished:
                break
