"""Functions: what AWS says of their state is part of the plan."""

from __future__ import annotations

import pytest

from pipeline.aws.clients import Aws
from pipeline.definition.bundle import pack_functions
from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan
from pipeline.deploy.engine.resource import Action
from pipeline.deploy.resources.functions import Function
from pipeline.deploy.resources.roles import Role
from pipeline.settings.environment import load_settings

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}]}

OURS = {"project": "mending", "environment": "local"}


@pytest.fixture
def own(aws: Aws) -> Aws:
    """Return clients of the test's own at the shared endpoint."""
    return type(aws)(load_settings("local"))


def stack(own: Aws, name: str) -> list[Role | Function]:
    code = pack_functions()
    own.s3.create_bucket(Bucket=name)
    own.s3.put_object(Bucket=name, Key="code.zip", Body=code)
    role = Role(name, "lambda.amazonaws.com", "123456789012", POLICY, tags=OURS)
    arn = f"arn:aws:iam::123456789012:role/{name}"
    return [role, Function(name, "claim_input.handler", arn, code, name, "code.zip", 256, (), (), tags=OURS)]


class Said:
    """Puts a state into the descriptions of functions, as AWS has it after a failure that the endpoint knows not of.

    Attributes:
        done: the operations that change functions.
    """

    def __init__(self, own: Aws, state: dict[str, str], cured_by: str) -> None:
        self.state, self.cured_by = state, cured_by
        self.done: list[str] = []
        own.functions.meta.events.register("after-call.lambda", self._change)

    def _change(self, model, parsed, **_) -> None:
        if not model.name.startswith(("Get", "List")):
            self.done.append(model.name)
        if model.name == self.cured_by:
            self.state = {}
        if model.name == "GetFunctionConfiguration":
            parsed.update(self.state)


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        ({"State": "Failed", "StateReasonCode": "EniLimitExceeded"}, ["DeleteFunction", "CreateFunction"]),
        ({"State": "Inactive", "StateReasonCode": "Idle"}, ["UpdateFunctionConfiguration"]),
        ({"LastUpdateStatus": "Failed"}, ["UpdateFunctionConfiguration"]),
    ],
)
def test_a_function_that_does_not_work_is_made_to(own, state, changes):
    things = stack(own, f"mended-{state.get('State', 'update').lower()}")
    apply_plan(make_plan(things, own), own)
    said = Said(own, state, cured_by=changes[0])
    plan = make_plan(things, own)
    assert [change.action for change in plan.changes] == [Action.KEEP, Action.UPDATE]
    (difference,) = plan.changes[1].differences
    assert state[difference.field] == difference.current
    apply_plan(plan, own)
    assert said.done == changes
    assert make_plan(things, own).is_empty
    destroy(things, own, keep_data=False)


@pytest.mark.parametrize("state", [{"State": "Pending"}, {"LastUpdateStatus": "InProgress"}])
def test_what_is_under_way_is_no_difference(own, state):
    things = stack(own, f"under-way-{next(iter(state)).lower()}")
    apply_plan(make_plan(things, own), own)
    Said(own, state, cured_by="")
    assert make_plan(things, own).is_empty
    destroy(things, own, keep_data=False)
