"""The operator: whether whoever asks may deploy, by IAM's own simulation."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from botocore.exceptions import ClientError

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.policy import document
from pipeline.deploy.permissions.operators import deployer_policy
from pipeline.preflight.answers import Answer, Verdict

#: Type of a condition's key, by what its operator begins with.
_TYPES = {"Bool": "boolean", "ForAnyValue": "stringList", "ForAllValues": "stringList"}


def operator_answers(aws: Aws) -> Iterator[Answer]:
    """Answer by service what the credentials lack for `plan` and `deploy`; `destroy` has a role of its own."""
    caller = aws.sts.get_caller_identity()["Arn"]
    principal = simulated_principal(aws, caller)
    if principal is None:
        yield Answer(Verdict.UNKNOWN, caller, "only users and roles can be simulated", "Sign in as a role.")
        return
    missing: dict[str, list[dict[str, Any]]] = {}
    reasons: dict[str, set[str]] = {}
    wanted = deployer_policy(aws.settings, "deploy")["Statement"]
    for statement in (one for one in wanted if one["Effect"] == "Allow"):
        for context in contexts(statement.get("Condition", {})):
            denied = [one for one in _simulated(aws, principal, statement, context) if one["EvalDecision"] != "allowed"]
            for result in denied:
                reasons.setdefault(result["EvalActionName"].partition(":")[0], set()).update(_reasons(result))
            for action in sorted({result["EvalActionName"] for result in denied}):
                lacking, known = {**statement, "Action": [action]}, missing.setdefault(action.partition(":")[0], [])
                known += [lacking] if lacking not in known else []
    for service, statements in sorted(missing.items()):
        because = f" ({', '.join(sorted(reasons[service]))})" if reasons[service] else ""
        names = ", ".join(dict.fromkeys(statement["Action"][0] for statement in statements))
        fix = f"Missing of what `{NAME} trust-policy {aws.settings.options} --permissions` prints: "
        yield Answer(Verdict.PROBLEM, service, f"denied{because}: {names}", fix + json.dumps(document(statements)))
    if not missing:
        # The policy lets nobody make roles without a boundary, so there is nothing to simulate.
        but = "" if aws.settings.boundary_arn else "; making roles was not asked: without `permissions_boundary`"
        detail = f"may do all that plan and deploy do{but and f'{but} an administrator does that'}"
        yield Answer(Verdict.OK, principal, detail)


def boundary_answers(aws: Aws, arn: str) -> Iterator[Answer]:
    """Answer whether the permissions boundary is there: no role can be created without it."""
    name = arn.partition(":policy/")[2]
    if unless_missing(lambda: aws.iam.get_policy(PolicyArn=arn)) is not None:
        yield Answer(Verdict.OK, name, "the permissions boundary exists")
        return
    policy = f"{NAME} trust-policy {aws.settings.options} --permissions --purpose boundary > boundary.json"
    create = f"aws iam create-policy --policy-name {name} --policy-document file://boundary.json"
    yield Answer(
        Verdict.PROBLEM, name, "the permissions boundary does not exist", f"An administrator runs: {policy} && {create}"
    )


def simulated_principal(aws: Aws, caller: str) -> str | None:
    """Return the ARN of the user or role behind a caller; None where it is neither, such as the account's root.

    The caller of an assumed role has the role's name only, and a role's ARN has its path, too.
    """
    kind, _, name = caller.rpartition(":")[2].partition("/")
    if kind != "assumed-role":
        return caller if kind == "user" else None
    role = name.partition("/")[0]
    try:
        return str(aws.iam.get_role(RoleName=role)["Role"]["Arn"])
    except ClientError:
        return aws.settings.role_arn(role)


def contexts(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the contexts that a statement's conditions take, in the form of the simulation: each value by itself."""
    entries = [
        [
            {"ContextKeyName": key, "ContextKeyType": _TYPES.get(operator.partition(":")[0], "string")}
            | {"ContextKeyValues": [value]}
            for value in ([values] if isinstance(values, str) else values)
        ]
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    yield from map(list, product(*entries))


def _simulated(aws: Aws, principal: str, statement: Mapping[str, Any], context: Any) -> list[Any]:
    asked: Any = {"ActionNames": statement["Action"], "ResourceArns": statement["Resource"], "ContextEntries": context}
    pages = aws.iam.get_paginator("simulate_principal_policy").paginate(PolicySourceArn=principal, **asked)
    return [result for page in pages for result in page["EvaluationResults"]]


def _reasons(result: Mapping[str, Any]) -> Iterator[str]:
    if not result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary", True):
        yield "by its permissions boundary"
    if not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True):
        yield "by a policy of the organization"
