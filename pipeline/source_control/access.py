"""What the notebook may do: read its one secret, keep its log, and use the environment as people do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.policy import allow, allow_principal, document, merged
from pipeline.deploy.engine.resource import Removal
from pipeline.deploy.permissions.execution import key_resource
from pipeline.deploy.permissions.operators import operator_policy
from pipeline.deploy.resources.roles import Role
from pipeline.preflight.answers import Answer, Verdict
from pipeline.preflight.network import internet_answers
from pipeline.settings.environment import Settings
from pipeline.source_control.names import Names

LOG_GROUP = "/aws/sagemaker/NotebookInstances"


def reading_secret(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the statements that the pull on start needs."""
    yield allow("secretsmanager:GetSecretValue", [Names(settings).secret_arn])
    if settings.kms_key is not None:
        resource, condition = key_resource(settings, settings.kms_key)
        yield allow("kms:Decrypt", [resource], **condition)


def notebook_policy(settings: Settings) -> dict[str, Any]:
    """Return what the notebook instance may do."""
    logs = settings.arn("logs", f"log-group:{LOG_GROUP}:*")
    return document(
        merged(
            [
                *operator_policy(settings)["Statement"],
                *reading_secret(settings),
                allow("logs:CreateLogGroup CreateLogStream DescribeLogStreams PutLogEvents", [logs]),
            ]
        )
    )


def operator_permissions(settings: Settings) -> dict[str, Any]:
    """Return what whoever connects, rotates and disconnects needs."""
    names = (Names(settings).code_repository, Names(settings).start_script)
    repository, script = (
        settings.arn("sagemaker", f"{kind}/{name}")
        for kind, name in zip(("code-repository", "notebook-instance-lifecycle-config"), names, strict=True)
    )
    # An instance that is there already may have any name.
    instances = settings.arn("sagemaker", "notebook-instance/*")
    role = Names(settings).role_arn
    passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    statements = [
        allow(
            "secretsmanager:CreateSecret DeleteSecret DescribeSecret PutSecretValue RestoreSecret TagResource"
            " UntagResource UpdateSecret",
            [Names(settings).secret_arn],
        ),
        allow(
            "sagemaker:AddTags CreateCodeRepository DeleteCodeRepository DeleteTags DescribeCodeRepository ListTags"
            " UpdateCodeRepository",
            [repository],
        ),
        allow(
            "sagemaker:AddTags CreateNotebookInstanceLifecycleConfig DeleteNotebookInstanceLifecycleConfig DeleteTags"
            " DescribeNotebookInstanceLifecycleConfig ListTags UpdateNotebookInstanceLifecycleConfig",
            [script],
        ),
        allow(
            "sagemaker:AddTags CreateNotebookInstance DeleteNotebookInstance DeleteTags DescribeNotebookInstance"
            " ListTags StartNotebookInstance StopNotebookInstance UpdateNotebookInstance",
            [instances],
        ),
        allow("sagemaker:ListNotebookInstances", ["*"]),  # no resource level in AWS, as below
        allow(
            "iam:CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy"
            " ListAttachedRolePolicies ListRolePolicies ListRoleTags PutRolePermissionsBoundary PutRolePolicy TagRole"
            " UntagRole UpdateAssumeRolePolicy",
            [role],
        ),
        allow("iam:PassRole", [role], Condition=passed),
        # An instance that is there already may have any role, too.
        allow("iam:SimulatePrincipalPolicy", [settings.role_arn("*")]),
    ]
    if settings.network.subnets:
        asked = "DescribeRouteTables DescribeSecurityGroups DescribeSubnets DescribeVpcs DescribeNetworkInterfaces"
        statements.append(allow(f"ec2:{asked} CreateNetworkInterface DeleteNetworkInterface", ["*"]))
    if settings.kms_key is not None:
        resource, condition = key_resource(settings, settings.kms_key)
        statements.append(allow("kms:CreateGrant Decrypt DescribeKey GenerateDataKey", [resource], **condition))
    return document(statements)


@dataclass(frozen=True)
class NotebookRole(Role):
    """The notebook instance's role; it stays as long as the instance does."""

    notebook: str = ""

    def _trust(self) -> dict[str, Any]:
        # "Cross-service confused deputy prevention" in SageMaker's developer guide does not list notebook instances
        # among what names the account, so a condition that demands it might never hold.
        condition = {"StringEqualsIfExists": {"aws:SourceAccount": self.source_account}}
        return document([allow_principal({"Service": self.service}, "sts:AssumeRole", Condition=condition)])

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        using = unless_missing(lambda: aws.sagemaker.describe_notebook_instance(NotebookInstanceName=self.notebook))
        if using is not None and using["RoleArn"] == found["Arn"] and using["NotebookInstanceStatus"] != "Deleting":
            return Removal.NOT_OURS
        return super()._remove(aws, found, keep_data=keep_data)


def role_answers(aws: Aws, role_arn: str) -> Iterator[Answer]:
    """Answer whether a role that somebody else has made may do what the pull on start needs."""
    about = f"role {role_arn.rpartition('/')[2]}"
    missing = []
    for statement in reading_secret(aws.settings):
        asked: Any = {"ActionNames": statement["Action"], "ResourceArns": statement["Resource"]}
        results = aws.iam.simulate_principal_policy(PolicySourceArn=role_arn, **asked)["EvaluationResults"]
        missing += [statement] if any(one["EvalDecision"] != "allowed" for one in results) else []
    if missing:
        names = ", ".join(action for statement in missing for action in statement["Action"])
        fix = f"Add this to its policies: {json.dumps(document(missing))}"
        yield Answer(Verdict.PROBLEM, about, f"may not {names}, so the notebook could not pull", fix, "role")
    else:
        yield Answer(Verdict.OK, about, "may read the secret", area="role")


def egress_answers(aws: Aws, subnet: str | None, security_groups: tuple[str, ...], host: str) -> Iterator[Answer]:
    """Answer whether an instance in a subnet reaches the Git server."""
    if subnet is not None:
        yield from internet_answers(aws, (subnet,), security_groups, host)
