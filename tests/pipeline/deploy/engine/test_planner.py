"""What the planner does about answers that pass, and about others at work on the same resources."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan, settled_plan
from pipeline.deploy.engine.rendering import plan_as_json, print_plan
from pipeline.deploy.engine.resource import Resource
from pipeline.errors import DeploymentError
from pipeline.settings.environment import load_settings

pytestmark = pytest.mark.xdist_group("deploy")


def shown(plan, **options):
    text = io.StringIO()
    print_plan(plan, Console(file=text, width=40), load_settings("local"), **options)
    return text.getvalue()


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
    assert '      tags.project: "made-in-full-bikeshare"' in lines
    assert '        + Allow sts:AssumeRole by {"Service": "events.amazonaws.com"}' in "\n".join(lines)
    assert "        + step Stop" in lines
    assert '      pattern.source: ["aws.s3"]' in lines
    for change in plan_as_json(plan, "us-east-1")["changes"]:
        assert change["desired"], change["name"]


@pytest.mark.parametrize("kind", ["bucket", "role", "feature group", "model package group", "pipeline", "log group"])
def test_what_another_deployment_has_just_made_is_ours(aws, stack, kind):
    things = [next(thing for thing in stack("made-by-two") if thing.kind == kind)]
    plan = make_plan(things, aws)
    things[0].create(aws)
    apply_plan(plan, aws)
    assert make_plan(things, aws).is_empty
    destroy(things, aws, keep_data=False)


def test_what_somebody_else_has_just_made_is_left_alone(aws, stack):
    things = stack("made-by-others")
    role = next(thing for thing in things if thing.kind == "role")
    bucket = next(thing for thing in things if thing.kind == "bucket")
    plan = make_plan([role, bucket], aws)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    aws.iam.create_role(RoleName=role.name, AssumeRolePolicyDocument=trust)
    with pytest.raises(DeploymentError, match=f"Role {role.name} has just been created by somebody else"):
        apply_plan(plan, aws)
    assert aws.iam.list_role_policies(RoleName=role.name)["PolicyNames"] == []
    aws.iam.delete_role(RoleName=role.name)


class Settling(Resource):
    """A resource that shows its new state from the third look on."""

    kind = "thing"
    looks = 0

    def _desired(self):
        return {"colour": "red"}

    def _describe(self, aws):
        Settling.looks += 1
        return Settling.looks

    def _state(self, aws, found):
        return {"colour": "red" if found >= 3 else "grey"}

    def create(self, aws):
        raise AssertionError

    def _remove(self, aws, found, *, keep_data):
        raise AssertionError


def test_what_differs_is_looked_at_again_for_as_long_as_it_may_settle(aws):
    assert not settled_plan([Settling("t")], aws, 0).is_empty
    assert Settling.looks == 1
    assert settled_plan([Settling("t")], aws, 5).is_empty
    assert Settling.looks == 3
