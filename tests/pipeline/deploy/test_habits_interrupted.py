"""Deployment under the habits of AWS, killed at each of its calls, and then repeated."""

from __future__ import annotations

import itertools

import pytest

from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan, settled_plan
from tests.pipeline.deploy.test_interruptions import KINDS, one_of


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.randomised("habits")
def test_killed_at_any_call_and_repeated(habitual, stack, killed, seed):
    """One kind of resource after the other; what it needs is there before."""
    aws = habitual
    for kind in KINDS:
        *needed, thing = one_of(stack(f"kill-{KINDS.index(kind)}", region=aws.settings.region), kind)
        apply_plan(make_plan(needed, aws), aws)
        for calls in itertools.count():
            plan = make_plan([thing], aws)
            aws.calls_left = calls
            try:
                apply_plan(plan, aws)
            except killed:
                apply_plan(make_plan([thing], aws), aws)
                finished = False
            else:
                finished = True
            aws.calls_left = None
            assert settled_plan([thing], aws, 60).is_empty, (kind, calls)
            destroy([thing], aws, keep_data=False)
            if finished:
                break
