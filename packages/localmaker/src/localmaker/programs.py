"""Run a program against the endpoint as it would run in a SageMaker notebook: with its variables and a role."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from typing import NoReturn

import boto3

from localmaker import daemon
from localmaker.clients import STARTUP
from localmaker.errors import LocalmakerError
from localmaker.state.directory import Running

_SESSION_NAME = "SageMaker"
_LONGEST_SESSION_SECONDS = 12 * 60 * 60
#: What the role of a SageMaker domain has at least.
_MANAGED_POLICY = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
_SERVICES = ("sagemaker.amazonaws.com", "lambda.amazonaws.com", "events.amazonaws.com")


class NoSuchProgramError(LocalmakerError):
    """The program to run is not on the path."""


def run(running: Running, command: Sequence[str], role: str | None = None) -> NoReturn:
    """Replace this process by a program that talks to the endpoint.

    Args:
        running: the endpoint.
        command: the program and its arguments.
        role: name of the role that the program acts as; it is created if there is none. Without one the program is the
            account's administrator.

    Raises:
        NoSuchProgramError: there is no such program.
    """
    program = shutil.which(command[0])
    if program is None:
        raise NoSuchProgramError(f"there is no program {command[0]!r}; give its path, or one that is on PATH")
    environment = {**_without_profiles(os.environ), **variables(running, role, os.environ)}
    os.execve(program, list(command), environment)  # noqa: S606 - an argument list, no shell


def variables(running: Running, role: str | None, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that :func:`run` sets.

    Args:
        running: the endpoint.
        role: as for :func:`run`.
        inherited: the environment to which they are added.
    """
    found = daemon.environment(running)
    if role is not None:
        found |= _session_of(role, found)
    path = os.pathsep.join(filter(None, [str(STARTUP), inherited.get("PYTHONPATH")]))
    return {**found, "PYTHONPATH": path}


def _without_profiles(inherited: Mapping[str, str]) -> dict[str, str]:
    # A session or a profile that is left from other credentials would take precedence or spoil these.
    return {name: value for name, value in inherited.items() if name not in {"AWS_SESSION_TOKEN", "AWS_PROFILE"}}


def _session_of(role: str, credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials of a session of a role, which is created if there is none."""
    session = boto3.Session(
        credentials["AWS_ACCESS_KEY_ID"],
        credentials["AWS_SECRET_ACCESS_KEY"],
        region_name=credentials["AWS_DEFAULT_REGION"],
    )
    url = credentials["AWS_ENDPOINT_URL"]
    iam, sts = session.client("iam", endpoint_url=url), session.client("sts", endpoint_url=url)
    try:
        found = iam.get_role(RoleName=role)["Role"]
    except iam.exceptions.NoSuchEntityException:
        account = sts.get_caller_identity()["Account"]
        found = iam.create_role(
            RoleName=role,
            AssumeRolePolicyDocument=json.dumps(_trust(account)),
            MaxSessionDuration=_LONGEST_SESSION_SECONDS,
        )["Role"]
        iam.attach_role_policy(RoleName=role, PolicyArn=_MANAGED_POLICY)
    token = sts.assume_role(
        RoleArn=found["Arn"], RoleSessionName=_SESSION_NAME, DurationSeconds=found["MaxSessionDuration"]
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": token["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": token["SecretAccessKey"],
        "AWS_SESSION_TOKEN": token["SessionToken"],
    }


def _trust(account: str) -> dict[str, object]:
    principal = {"Service": list(_SERVICES), "AWS": f"arn:aws:iam::{account}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
