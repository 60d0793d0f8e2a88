"""One notebook instance connected to one repository on GitHub: what it is, as it is, and how to bring it there.

The credential is no part of a connection: it is in Secrets Manager only, and goes from the operator's input straight
there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Waiting
from pipeline.deploy.engine.planner import Plan, apply_plan, destroy, make_plan
from pipeline.deploy.engine.resource import Action, Change, Removal, Resource
from pipeline.errors import DeploymentError
from pipeline.preflight.answers import Answer, Question, answered
from pipeline.settings.environment import Settings
from pipeline.source_control.access import NotebookRole, egress_answers, notebook_policy, role_answers
from pipeline.source_control.credential import Credential, try_credential
from pipeline.source_control.names import Names
from pipeline.source_control.notebook import NotebookInstance
from pipeline.source_control.pull import pull_script
from pipeline.source_control.repository import GITHUB, Repository
from pipeline.source_control.resources import RECOVERY_DAYS, CodeRepository, LifecycleConfiguration, Secret

__all__ = ["RECOVERY_DAYS", "Connection", "connect", "current", "disconnect", "plan", "rotate", "status", "wanted"]


def _silent(*_: object) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Connection:
    """A repository and the notebook instance that works in a clone of it; None is whatever the instance has."""

    url: str
    branch: str = "main"
    notebook: str | None = None  #: The instance's name; None is the environment's own.
    instance_type: str | None = None
    volume_gib: int | None = None
    subnet: str | None = None
    security_groups: tuple[str, ...] = ()
    role_arn: str | None = None  #: Of a role that somebody else has made; None makes one.
    kms_key: str | None = None  #: That the volume is encrypted with.
    git_host: str = GITHUB  #: Another one is a GitHub Enterprise server that somebody has declared.


def wanted(settings: Settings, url: str, **more: Any) -> Connection:
    """Return a connection with the subnet, groups and key of the settings, where nothing else is asked for."""
    network = settings.network
    found = Connection(
        url,
        subnet=next(iter(network.subnets), None),
        security_groups=network.security_groups,
        kms_key=settings.kms_key,
    )
    return replace(found, **{name: value for name, value in more.items() if value is not None})


def current(aws: Aws) -> Connection | None:
    """Return the environment's connection as it is in AWS, None where there is none."""
    settings = aws.settings
    with aws_errors("Looking for the connection to GitHub", aws, DeploymentError):
        name = Names(settings).code_repository
        found = unless_missing(lambda: aws.sagemaker.describe_code_repository(CodeRepositoryName=name))
        if found is None:
            return None
        git = found["GitConfig"]
        connection = Connection(
            git["RepositoryUrl"], git.get("Branch", "main"), git_host=Repository.host_of(git["RepositoryUrl"])
        )
        pages = aws.sagemaker.get_paginator("list_notebook_instances").paginate(DefaultCodeRepositoryContains=name)
        using = [one for page in pages for one in page["NotebookInstances"] if one.get("DefaultCodeRepository") == name]
        if not using:
            return connection
        notebook = using[0]["NotebookInstanceName"]
        described = aws.sagemaker.describe_notebook_instance(NotebookInstanceName=notebook)
    role = described["RoleArn"]
    return replace(
        connection,
        notebook=notebook,
        instance_type=described["InstanceType"],
        volume_gib=described.get("VolumeSizeInGB"),
        subnet=described.get("SubnetId"),
        security_groups=tuple(described.get("SecurityGroups", ())),
        role_arn=None if role == Names(settings).role_arn else role,
        kms_key=described.get("KmsKeyId"),
    )


def resources(
    aws: Aws, connection: Connection, credential: Credential | None = None, *, waiting: Waiting | None = None
) -> list[Resource]:
    """Return what a connection is made of, in the order in which it is created.

    Raises:
        DeploymentError: the URL, the branch or a name can't be connected.
    """
    settings, names = aws.settings, Names(aws.settings)
    repository = Repository.of(connection.url, connection.branch, connection.git_host, local=aws.is_local)
    notebook = connection.notebook or names.notebook
    tags = settings.resource_tags()
    made: list[Resource] = []
    if connection.role_arn is None:
        made.append(
            NotebookRole(
                names.role,
                service="sagemaker.amazonaws.com",
                source_account=settings.account_id,
                policy=notebook_policy(settings),
                boundary=settings.boundary_arn,
                notebook=notebook,
                tags=tags,
            )
        )
    secret = Secret(names.secret, settings.kms_key, credential, tags=tags)
    script = pull_script(settings, repository, notebook)
    return [
        *made,
        secret,
        CodeRepository(names.code_repository, repository.url, repository.branch, secret.name, tags=tags),
        LifecycleConfiguration(names.start_script, script, tags=tags),
        NotebookInstance(
            notebook,
            code_repository=names.code_repository,
            lifecycle=names.start_script,
            role_arn=connection.role_arn or names.role_arn,
            instance_type=connection.instance_type,
            volume_gib=connection.volume_gib,
            subnet=connection.subnet,
            security_groups=connection.security_groups,
            kms_key=connection.kms_key,
            waiting=waiting or Waiting(),
            tags=tags,
        ),
    ]


def plan(
    aws: Aws, connection: Connection, credential: Credential | None = None, *, waiting: Waiting | None = None
) -> Plan:
    """Return what connecting would change; nothing is changed.

    Raises:
        DeploymentError: it can't be connected: a wrong value, or an instance that others have set up in another way.
    """
    aws.check_account()
    _refuse_a_second(aws, connection)
    kept = _with_its_role(aws, connection)
    found = make_plan(resources(aws, kept, credential, waiting=waiting), aws)
    for change in found.changes:
        for item in change.differences:
            if item.field == "lifecycle configuration" and item.current:
                raise DeploymentError(
                    f"Notebook instance {change.resource.name} has lifecycle configuration {item.current}, and takes "
                    "one.",
                    "Detach it, or connect another instance (--notebook).",
                )
    return found


def _refuse_a_second(aws: Aws, connection: Connection) -> None:
    """Refuse another instance than the connected one, which would keep the start script and push under one name."""
    there = current(aws)
    if there is not None and there.notebook not in {None, connection.notebook or Names(aws.settings).notebook}:
        raise DeploymentError(
            f"Notebook instance {there.notebook} is connected, and an environment has one connection.",
            f"Keep it (--notebook {there.notebook}), or disconnect it first.",
        )


def _described(aws: Aws, connection: Connection) -> Any:
    name = connection.notebook or Names(aws.settings).notebook
    with aws_errors(f"Describing notebook instance {name}", aws, DeploymentError):
        return unless_missing(lambda: aws.sagemaker.describe_notebook_instance(NotebookInstanceName=name))


def _with_its_role(aws: Aws, connection: Connection) -> Connection:
    """Return the connection with the role of an instance that somebody else has set up, which keeps it."""
    there, ours = _described(aws, connection), Names(aws.settings).role_arn
    if connection.role_arn is not None or there is None or there["RoleArn"] == ours:
        return connection
    return replace(connection, role_arn=there["RoleArn"])


def needs_credential(found: Plan) -> bool:
    """Say whether a plan can't be carried out without a credential."""
    return any(isinstance(one.resource, Secret) and one.resource.needs_credential(one) for one in found.changes)


def answers(aws: Aws, connection: Connection) -> list[Answer]:
    """Ask the account what a connection takes beside its own: a way to the Git server, and a role's rights."""
    there = _described(aws, connection)
    subnet, groups = connection.subnet, connection.security_groups
    if there is not None:
        # SageMaker's own network leads to the internet, unless somebody has switched that off.
        alone = there.get("DirectInternetAccess") == "Disabled"
        subnet, groups = there.get("SubnetId") if alone else None, tuple(there.get("SecurityGroups", ()))
    host = Repository.host_of(connection.url)
    questions = [Question("network", host, lambda: egress_answers(aws, subnet, groups, host))]
    role = _with_its_role(aws, connection).role_arn
    if role is not None:
        questions.append(Question("role", role, lambda: role_answers(aws, role)))
    return answered(questions)


def stops(found: Plan) -> str | None:
    """Return the name of the instance that a plan stops and starts again, if it runs."""
    return next(
        (
            change.resource.name
            for change in found.changes
            if isinstance(change.resource, NotebookInstance) and change.action is Action.UPDATE
            if {item.field for item in change.differences} != {"tags"}
        ),
        None,
    )


def connect(
    aws: Aws,
    connection: Connection,
    credential: Credential | None,
    *,
    progress: Callable[[Change], None] = _silent,
    waiting: Waiting | None = None,
) -> str | None:
    """Bring a connection about; return what could not be told about the credential. Safe to interrupt and to repeat.

    The credential is tried on the Git server before anything is changed; it may be None where there is a secret.

    Raises:
        DeploymentError: see `plan`; or the Git server does not take the credential, or has no such branch.
    """
    found = plan(aws, connection, credential, waiting=waiting)
    if credential is None and needs_credential(found):
        raise DeploymentError(f"Secret {Names(aws.settings).secret} has no credential yet.", "Give one.")
    unsure = try_credential(connection.url, connection.branch, credential) if credential is not None else None
    apply_plan(found, aws, progress)
    return unsure


def status(aws: Aws) -> dict[str, Any]:
    """Return the connection as it is, and what differs from how `connect` leaves it, for people and scripts."""
    aws.check_account()
    found, settings = current(aws), aws.settings
    if found is None:
        return {"connected": False, "differences": []}
    notebook = _described(aws, found)
    with aws_errors("Looking at the connection to GitHub", aws, DeploymentError):
        secret = unless_missing(lambda: aws.secrets.describe_secret(SecretId=Names(settings).secret)) or {}
    changes = [one for one in plan(aws, found).changes if one.action is not Action.KEEP]
    return {
        "connected": found.notebook is not None,
        **asdict(found),
        "notebook": found.notebook or Names(settings).notebook,
        "notebook_status": notebook["NotebookInstanceStatus"] if notebook else None,
        "secret": Names(settings).secret,
        "credential_changed": secret.get("LastChangedDate"),
        "differences": [
            {"kind": one.resource.kind, "name": one.resource.name, "action": one.action.value}
            | {"fields": [item.field for item in one.differences]}
            for one in changes
        ],
    }


def rotate(aws: Aws, credential: Credential) -> str | None:
    """Put another credential into the secret; return what could not be told about it.

    Raises:
        DeploymentError: there is no connection, or the Git server does not take the credential; nothing is changed.
    """
    aws.check_account()
    found = current(aws)
    if found is None:
        raise DeploymentError("There is no connection whose credential could be rotated.", "Connect first.")
    unsure = try_credential(found.url, found.branch, credential)
    secret = Secret(Names(aws.settings).secret, aws.settings.kms_key, credential)
    with aws_errors(f"Rotating secret {secret.name}", aws, DeploymentError):
        secret.put(aws)
    return unsure


def disconnect(
    aws: Aws,
    *,
    delete_notebook: bool = False,
    progress: Callable[[Resource, Removal], None] = _silent,
    waiting: Waiting | None = None,
) -> Sequence[tuple[Resource, Removal]]:
    """Remove what `connect` has made, the instance's associations first; the instance stays, unless asked for.

    Parts that a disconnection before has removed are no error.
    """
    aws.check_account()
    found = current(aws) or Connection(f"https://{GITHUB}/none/none")
    done: list[tuple[Resource, Removal]] = []

    def report(resource: Resource, removal: Removal) -> None:
        done.append((resource, removal))
        progress(resource, removal)

    destroy(resources(aws, found, waiting=waiting), aws, keep_data=not delete_notebook, progress=report)
    return done
