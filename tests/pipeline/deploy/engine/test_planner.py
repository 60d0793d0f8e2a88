"""What the planner does about answers that pass, and about others at work on the same resources."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from pipeline.deploy.engine.planner import apply_plan, destroy, is_transient, make_plan
from pipeline.deploy.engine.rendering import plan_as_json, print_plan
from pipeline.settings.environment import load_settings

pytestmark = pytest.mark.xdist_group("deploy")


def shown(plan, **options):
    text = io.StringIO()
    print_plan(plan, Console(file=text, width=40), load_settings("local"), **options)
    return text.getvalue()


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
def test_what_is_transient_is_waited_for(error, passes):
    assert is_transient(error) is passes


def test_two_who_remove_the_same_both_succeed(aws, stack):
    things = stack("removed-by-two")
    for _ in range(3):
        apply_plan(make_plan(things, aws), aws)
        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(destroy, things, aws, keep_data=False) for _ in range(2)]:
                done.result()
        assert [thing.name for thing in things if thing.current(aws) is not None] == []


def test_what_is_to_be_made_is_shown_field_by_field_when_asked_for(aws, stack):
    plan = make_plan(stack("made-in-full"), aws)
    assert "versioning" not in shown(plan)
    lines = shown(plan, full=True).splitlines()
    assert '      versioning: "Enabled"' in lines
    assert '      tags.project: "made-in-full"' in lines
    assert '        + Allow sts:AssumeRole by {"Service": "events.amazonaws.com"}' in "\n".join(lines)
    assert "        + step Stop" in lines
    assert '      pattern.source: ["aws.s3"]' in lines
    for change in plan_as_json(plan, "us-east-1")["changes"]:
        assert change["desired"], change["name"]
