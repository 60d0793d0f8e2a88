"""The functions that Lambda steps call: that they are deployed, and may do what their scripts do."""

from __future__ import annotations

from collections.abc import Iterator

from pipedef.checks.permissions import is_allowed
from pipedef.checks.registry import Deployment, Function, Problem, deployment_check
from pipedef.document.definition import Definition, Step
from pipedef.document.project import ALWAYS

#: Parts of a function's ARN; what comes after them is a version or an alias.
_ARN_PARTS = 7


@deployment_check("functions")
def functions_are_deployed(definition: Definition, deployment: Deployment) -> Iterator[Problem]:
    """Check that each function that a step calls is deployed, and its role is allowed what its script does.

    That the execution role may invoke it is the check of permissions; a deployment without functions tells nothing.
    """
    functions = {function.arn: function for function in deployment.functions}
    for step in definition.steps_of_type("Lambda") if functions else ():
        arn = step.content.get("FunctionArn")
        if not isinstance(arn, str):
            continue  # known only when the pipeline runs
        function = functions.get(":".join(arn.split(":")[:_ARN_PARTS]))
        if function is None:
            yield Problem(
                f"No function {arn} is deployed with the pipeline.",
                f"Call one of {', '.join(sorted(functions))}, or deploy it.",
                step=step.name,
                field="FunctionArn",
            )
            continue
        missing = [one for one in _actions(step, function, definition) if not is_allowed(function.policy, one)]
        if missing:
            yield Problem(
                f"The role of {arn} is not allowed {', '.join(missing)}, which {function.script} does.",
                "Add it to the policy of the function's role.",
                step=step.name,
                field=f"script {function.script}",
            )


def _actions(step: Step, function: Function, definition: Definition) -> Iterator[str]:
    """Yield the actions of a function's script; those of a flag where the payload has a member of its name."""
    given = {name.replace("_", "-").lower() for name in step.arguments}
    for flag, actions in definition.project.script_actions.get(function.script, {}).items():
        if flag == ALWAYS or flag.lstrip("-") in given:
            yield from actions
