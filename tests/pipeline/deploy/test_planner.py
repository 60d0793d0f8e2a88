"""What the planner does about answers that pass, and about others at work on the same resources."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from pipeline.deploy.planner import apply_plan, destroy, make_plan, passes_by_itself

pytestmark = pytest.mark.xdist_group("deploy")


def refusal(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Create")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (refusal("ValidationException", "The role can not be assumed by principal 'events.amazonaws.com'"), True),
        (refusal("ValidationException", "1 validation error detected"), False),
        (refusal("AWS.SimpleQueueService.QueueDeletedRecently"), True),
        (refusal("QueueDeletedRecently"), True),
        (refusal("OperationAborted", "A conflicting conditional operation is in progress"), True),
        (refusal("OperationAbortedException"), True),
        (refusal("ConcurrentModificationException"), True),
        (refusal("AccessDenied"), False),
        (ValueError("no"), False),
    ],
)
def test_what_passes_by_itself_is_waited_for(error, passes):
    assert passes_by_itself(error) is passes


def test_two_who_remove_the_same_both_succeed(aws, stack):
    things = stack("removed-by-two")
    for _ in range(3):
        apply_plan(make_plan(things, aws), aws)
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(destroy, things, aws, keep_data=False) for _ in range(2)]:
                done.result()
        assert [thing.name for thing in things if thing.current(aws) is not None] == []
