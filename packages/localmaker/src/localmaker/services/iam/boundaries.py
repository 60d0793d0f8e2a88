"""Condition keys by which a policy limits what a call may say.

``iam:PermissionsBoundary`` is about changes of roles with a certain boundary, ``lambda:Principal`` about whom a
function is opened to, ``cloudwatch:namespace`` about which metrics are put. Source: actions and condition keys of IAM,
Lambda and CloudWatch in the Service Authorization Reference, and "Delegating responsibility to others using permissions
boundaries" in the IAM user guide. Where a call sets a boundary,
it is the one that it sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localmaker.services.iam.evaluation import Call
from localmaker.services.iam.policies import boundary_of

_KEY = "iam:permissionsboundary"
_PRINCIPAL = "lambda:principal"
_NAMESPACE = "cloudwatch:namespace"
_SETTING = frozenset({"iam:CreateRole", "iam:PutRolePermissionsBoundary"})
_OF_ROLE = frozenset(
    {
        "iam:AttachRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PutRolePolicy",
    }
)


def with_boundary(call: Call, request: Mapping[str, Any]) -> Call:
    """Return a call with the boundary, the principal or the namespace that conditions on it are about."""
    if call.action == "cloudwatch:PutMetricData":
        return replace(call, context={**call.context, _NAMESPACE: (str(request.get("Namespace")),)})
    if call.action == "lambda:AddPermission":
        return replace(call, context={**call.context, _PRINCIPAL: (str(request.get("Principal")),)})
    if call.action in _SETTING:
        boundary = request.get("PermissionsBoundary")
    elif call.action in _OF_ROLE:
        boundary = boundary_of(call.resource)
    else:
        return call
    return replace(call, context={**call.context, _KEY: (str(boundary),)}) if boundary else call
