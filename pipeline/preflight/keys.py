"""KMS keys: whether they can encrypt what the settings want, and whether their policies let the services use them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.deploy.engine.policy import CLOUDWATCH, EVENTBRIDGE, allow_principal, statements_of
from pipeline.preflight.answers import Answer, Verdict
from pipeline.settings.contract import Function
from pipeline.settings.environment import Settings

#: What EventBridge and CloudWatch need for the encrypted queue and topic, and what jobs need.
_SERVICE_USES = ("kms:Decrypt", "kms:GenerateDataKey")
_ROLE_USES = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey")
_JOB_USES = (*_ROLE_USES, "kms:CreateGrant")  #: For the volumes of instances.
_BEST_LAST = (Verdict.PROBLEM, Verdict.UNKNOWN, Verdict.OK)
_ALLOWED = "allowed by the key's policy"


def key_answers(aws: Aws, key: str, *, for_events: bool) -> Iterator[Answer]:
    """Answer what can be read about a key; ``for_events`` is the key of the queue and the topic."""
    try:
        found = aws.kms.describe_key(KeyId=key)["KeyMetadata"]
    except aws.kms.exceptions.NotFoundException:
        yield Answer(Verdict.PROBLEM, key, "does not exist in this region", "Correct it in the settings, or create it.")
        return
    yield usable(key, found)
    policy = json.loads(aws.kms.get_key_policy(KeyId=found["Arn"], PolicyName="default")["Policy"])
    yield roles_may_use(aws.settings, key, policy)
    if for_events:
        yield service_may_use(key, policy, "EventBridge (queue and topic)", EVENTBRIDGE)
        if aws.settings.quality.coverage_alarm is not None:
            yield service_may_use(key, policy, "CloudWatch (topic)", CLOUDWATCH)


def usable(key: str, found: Mapping[str, Any]) -> Answer:
    """Judge what DescribeKey says."""
    if found.get("KeyManager") == "AWS":
        return Answer(Verdict.PROBLEM, key, "is AWS's own", "Its policy can't be changed: name another.")
    if found["KeyState"] != "Enabled":
        fixes = {"PendingDeletion": "cancel-key-deletion", "Disabled": "enable-key"}
        fix = f"aws kms {fixes.get(found['KeyState'], 'describe-key')} --key-id {found['KeyId']}"
        return Answer(Verdict.PROBLEM, key, f"is {found['KeyState']}", fix)
    if found.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        return Answer(Verdict.PROBLEM, key, f"is {found['KeySpec']}", "Name a symmetric key that encrypts.")
    return Answer(Verdict.OK, key, "enabled and symmetric")


def roles_may_use(settings: Settings, key: str, policy: Any) -> Answer:
    """Judge whether the roles of jobs and functions may use a key: by IAM, or each by the key's own policy."""
    about = f"{key} for jobs and functions"
    # The account as principal means: whoever IAM lets ("Allows access to the AWS account", KMS developer guide).
    root, account = settings.iam_arn("root"), settings.account_id
    uses = {settings.function_name(function): _ROLE_USES for function in Function}
    roles = {settings.role_arn(name): used for name, used in (uses | {settings.execution_role_name: _JOB_USES}).items()}
    each = min((_verdict(policy, "AWS", role, used) for role, used in roles.items()), key=_BEST_LAST.index)
    by_iam = (_verdict(policy, "AWS", principal, _JOB_USES) for principal in (root, account))
    verdict = max(*by_iam, each, key=_BEST_LAST.index)
    if verdict is Verdict.OK and any(_denied(policy, "AWS", one, _JOB_USES) for one in (root, account, *roles)):
        verdict = Verdict.UNKNOWN
    if verdict is Verdict.OK:
        return Answer(verdict, about, _ALLOWED)
    if verdict is Verdict.UNKNOWN:
        return Answer(verdict, about, "the key's policy has conditions or a Deny for it", "Read it, or try a run.")
    statement = allow_principal({"AWS": root}, "kms:*", Resource="*")
    fix = f"Add to it: {json.dumps(statement)}"
    return Answer(verdict, about, "the key's policy does not delegate to IAM", fix)


def service_may_use(key: str, policy: Any, name: str, service: Mapping[str, str]) -> Answer:
    """Judge whether EventBridge or CloudWatch may encrypt its messages; under a condition EventBridge may not.

    AWS supports neither ``aws:SourceAccount`` nor ``aws:SourceArn`` there (EventBridge user guide, encrypted topics).
    """
    about = f"{key} for {name}"
    verdict = _verdict(policy, "Service", service["Service"], _SERVICE_USES)
    if verdict is Verdict.OK:
        return Answer(verdict, about, _ALLOWED)
    statement = {**allow_principal(service, "", Resource="*"), "Action": list(_SERVICE_USES)}
    why = "only under a condition, or denied" if verdict is Verdict.UNKNOWN else "not allowed"
    fix = f"Without it no alarm and no undelivered event arrives. Add to the key's policy: {json.dumps(statement)}"
    return Answer(Verdict.PROBLEM, about, f"{why} by the key's policy", fix)


def _verdict(policy: Any, kind: str, principal: str, actions: Sequence[str]) -> Verdict:
    """Say whether a policy allows a principal all actions; unknown where a condition or a Deny decides."""
    allowing = _statements(policy, "Allow", kind, principal)

    def all_allowed(by: Sequence[Mapping[str, Any]]) -> bool:
        return all(any(_covers(one, action) for one in by) for action in actions)

    if not all_allowed(allowing):
        return Verdict.PROBLEM
    certain = not _denied(policy, kind, principal, actions) and all_allowed(
        [one for one in allowing if not one.get("Condition")]
    )
    return Verdict.OK if certain else Verdict.UNKNOWN


def _denied(policy: Any, kind: str, principal: str, actions: Sequence[str]) -> bool:
    denying = _statements(policy, "Deny", kind, principal)
    return any(_covers(one, action) for one in denying for action in actions)


def _statements(policy: Any, effect: str, kind: str, principal: str) -> list[Mapping[str, Any]]:
    found = [one for one in statements_of(policy) or [] if one["Effect"] == effect]
    return [one for one in found if _names(one.get("Principal"), kind, principal)]


def _names(principals: Any, kind: str, principal: str) -> bool:
    named = principals.get(kind) if isinstance(principals, Mapping) else principals
    return bool({principal, "*"} & {*_listed(named)})


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    member = "NotAction" if "NotAction" in statement else "Action"
    named = any(fnmatch(action.lower(), pattern.lower()) for pattern in _listed(statement.get(member)))
    return named == (member == "Action")


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])
