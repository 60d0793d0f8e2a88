"""The AWS calls that step scripts make, found in their sources, against the table of what they are said to make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import botocore.session
from botocore import xform_name

from pipedef.checks.permissions import SCRIPT_ACTIONS
from pipedef.checks.registry import Problem, source_check
from pipedef.document.source_code import Sources, calls, scripts

#: Services that scripts have clients of → prefix of their IAM actions.
_SERVICES = {"s3": "s3", "sagemaker": "sagemaker", "sagemaker-featurestore-runtime": "sagemaker"}
#: Operations whose actions have other names than they have ("Actions, resources, and condition keys for Amazon S3").
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "s3:CopyObject": ("s3:GetObject", "s3:PutObject"),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:HeadObject": ("s3:GetObject",),
    "s3:ListObjects": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
}


@source_check("script-permissions", "every AWS call that a script makes is in the table that permissions come from")
def calls_are_in_the_table(sources: Sources) -> Iterator[Problem]:
    for script in scripts(sources):
        known = {action for actions in SCRIPT_ACTIONS.get(script, {}).values() for action in actions}
        for call in calls(script, sources):
            method = call.text if call.name in {"get_paginator", "get_waiter"} else call.name
            missing = [action for action in _actions().get(method, ()) if action not in known]
            if missing:
                yield Problem(
                    f"{script} calls {method}, and the table does not say that it takes {', '.join(missing)}.",
                    "Add it to SCRIPT_ACTIONS in pipedef/checks/permissions.py, and to the role's policy.",
                    file=f"steps/{call.file}:{call.line}",
                )


@cache
def _actions() -> Mapping[str, tuple[str, ...]]:
    """Method of a boto3 client → IAM actions. One-word methods, such as search, are also methods of much else."""
    session = botocore.session.get_session()
    found: dict[str, tuple[str, ...]] = {}
    for service, prefix in _SERVICES.items():
        for operation in session.get_service_model(service).operation_names:
            name = f"{prefix}:{operation}"
            if "_" in xform_name(operation):
                found[xform_name(operation)] = _OTHER_NAMES.get(name, (name,))
    return found
