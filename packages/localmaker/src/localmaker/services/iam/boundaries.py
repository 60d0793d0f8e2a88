"""Condition keys by which a policy allows a change only where it gives no more rights.

``iam:PermissionsBoundary`` is about changes of roles with a certain boundary, ``lambda:Principal`` about whom a
function is opened to. Source: actions and condition keys of IAM and Lambda in the Service Authorization Reference, and
"Delegating responsibility to others using permissions boundaries" in the IAM user guide. Where a call sets a boundary,
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
    """Return a call with the boundary or the principal that conditions on it are about."""
    if call.action == "lambda:AddPermission":
        return replace(call, context={**call.context, _PRINCIPAL: (str(request.get("Principal")),)})
    if call.action in _SETTING:
        boundary = request.get("PermissionsBoundary")
    elif call.action in _OF_ROLE:
        boundary = boundary_of(call.resource)
    else:
        return call
    return replace(call, context={**call.context, _KEY: (str(boundary),)}) if boundary else call
