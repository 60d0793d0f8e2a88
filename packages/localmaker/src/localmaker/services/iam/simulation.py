"""A patch of moto: ``SimulatePrincipalPolicy`` and ``SimulateCustomPolicy``.

- moto: has neither.
- IAM: evaluates policies without acting. The SageMaker SDK v3 calls the first before it creates anything.
- Added: ``moto.iam.responses.IamResponse.simulate_principal_policy`` and ``.simulate_custom_policy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import InvalidInput, NotFoundException
from moto.iam.responses import IamResponse

from localmaker.services.iam.conditions import UnknownOperatorError
from localmaker.services.iam.evaluation import Call, Decision, Evaluation, MalformedPolicyError, Policy, evaluate
from localmaker.services.iam.policies import BOUNDARY, identity_of

#: The operations of IAM that this module adds to moto.
ANSWERED = frozenset({"SimulatePrincipalPolicy", "SimulateCustomPolicy"})

_PAGE = 100
# The overall decision for several resources is the most severe of theirs.
_SEVERITY = (Decision.ALLOWED, Decision.IMPLICIT_DENY, Decision.EXPLICIT_DENY)


def install() -> None:
    """Add them for the whole process; a second call changes nothing."""
    IamResponse.simulate_principal_policy = _simulate_principal_policy
    IamResponse.simulate_custom_policy = _simulate_custom_policy


def _simulate_principal_policy(response: Any) -> ActionResult:
    arn = response._get_param("PolicySourceArn")  # noqa: SLF001 - how moto's responses read a request
    identity = identity_of(arn) if arn.startswith("arn:aws:iam::") else None
    if identity is None:
        raise NotFoundException(f"The entity with ARN {arn} cannot be found.")
    given = response._get_param("PermissionsBoundaryPolicyInputList", [])  # noqa: SLF001
    boundaries = {BOUNDARY: _input("PermissionsBoundaryPolicyInputList", given)} if given else identity.boundaries
    return _answer(response, [*identity.policies, *_policy_input(response)], boundaries)


def _simulate_custom_policy(response: Any) -> ActionResult:
    given = response._get_param("PermissionsBoundaryPolicyInputList", [])  # noqa: SLF001
    boundaries = {BOUNDARY: _input("PermissionsBoundaryPolicyInputList", given)} if given else {}
    return _answer(response, _policy_input(response), boundaries)


def _policy_input(response: Any) -> list[Policy]:
    return _input("PolicyInputList", response._get_param("PolicyInputList", []))  # noqa: SLF001


def _input(name: str, texts: Sequence[str]) -> list[Policy]:
    try:
        return [Policy.parse(f"{name}.{number}", text) for number, text in enumerate(texts, start=1)]
    except MalformedPolicyError as error:
        raise InvalidInput(str(error)) from error


def _answer(response: Any, policies: Sequence[Policy], boundaries: Mapping[str, Sequence[Policy]]) -> ActionResult:
    actions: list[str] = response._get_param("ActionNames", [])  # noqa: SLF001
    resources: list[str] = response._get_param("ResourceArns", [])  # noqa: SLF001
    entries = response._get_param("ContextEntries", [])  # noqa: SLF001
    context = {entry.get("ContextKeyName", "").lower(): tuple(entry.get("ContextKeyValues", [])) for entry in entries}
    start = int(response._get_param("Marker") or 0)  # noqa: SLF001
    end = start + int(response._get_param("MaxItems") or _PAGE)  # noqa: SLF001
    try:
        results = [_result(action, resources, context, policies, boundaries) for action in actions[start:end]]
    except UnknownOperatorError as error:
        raise InvalidInput(str(error)) from error
    truncated = end < len(actions)
    return ActionResult(
        {"EvaluationResults": results, "IsTruncated": truncated, **({"Marker": str(end)} if truncated else {})}
    )


def _result(
    action: str,
    resources: Sequence[str],
    context: Mapping[str, Sequence[str]],
    policies: Sequence[Policy],
    boundaries: Mapping[str, Sequence[Policy]],
) -> dict[str, Any]:
    evaluations = {
        resource: evaluate(Call(action, resource, context), policies, boundaries) for resource in resources or ["*"]
    }
    worst = max(evaluations.values(), key=lambda one: _SEVERITY.index(one.decision))
    shared = _described(worst, boundaries)
    result = {
        "EvalActionName": action,
        "EvalResourceName": next(iter(evaluations)),
        "EvalDecision": str(worst.decision),
        **shared,
    }
    if resources:
        result["ResourceSpecificResults"] = [
            {
                "EvalResourceName": resource,
                "EvalResourceDecision": str(one.decision),
                **_described(one, boundaries),
            }
            for resource, one in evaluations.items()
        ]
    return result


def _described(evaluation: Evaluation, boundaries: Mapping[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "MatchedStatements": [
            {
                "SourcePolicyId": statement.source,
                "SourcePolicyType": "IAM Policy",
                "StartPosition": {"Line": statement.start.line, "Column": statement.start.column},
                "EndPosition": {"Line": statement.end.line, "Column": statement.end.column},
            }
            for statement in evaluation.statements
        ],
        "MissingContextValues": list(evaluation.missing),
    }
    if boundaries:
        described["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": evaluation.refused_by != BOUNDARY
        }
    return described
