"""The one place that every action under a role is told to: it records the action and, if asked to, refuses it.

Neither is done by default, and then nothing here costs anything. Whoever calls with other credentials than a role's may
do everything, as before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError
from localmaker.ports import CredentialScope
from localmaker.services.iam.actions import Place, needed
from localmaker.services.iam.calls import Operation, operation_of
from localmaker.services.iam.encryption import key_use
from localmaker.services.iam.evaluation import IDENTITY, Call, Decision, Evaluation, Policy, allows_principal, evaluate
from localmaker.services.iam.policies import identity_of, parsed, trust_policy_of
from localmaker.services.iam.recording import ActionRecorder
from localmaker.services.iam.sessions import RoleSession, Sessions

logger = logging.getLogger(__name__)

_SESSION_POLICY = "session policy"
_KINDS = {IDENTITY: "identity-based policy"}
_FORBIDDEN = 403
_READS = {"GET", "HEAD"}
# Services whose protocol is XML; the others answer 400 and AccessDeniedException.
_ACCESS_DENIED = {"s3", "iam", "sts", "ec2"}


@dataclass(frozen=True)
class IamSettings:
    """What the endpoint does about IAM.

    Attributes:
        record: file that the actions under roles are written to; None records nothing.
        enforce: whether an action that a role's policies do not allow is refused.
    """

    record: Path | None = None
    enforce: bool = False


class Authorization:
    """Records and decides.

    Args:
        settings: what is to be done.
        region: of the endpoint's own calls.
    """

    def __init__(self, settings: IamSettings, region: str) -> None:
        self.sessions = Sessions()
        self.enforces = settings.enforce
        self._region = region
        self._recorder = ActionRecorder(settings.record) if settings.record is not None else None

    @property
    def enabled(self) -> bool:
        """Whether anything has to be told at all."""
        return self.enforces or self._recorder is not None

    def close(self) -> None:
        """Record no more."""
        if self._recorder is not None:
            self._recorder.close()

    def refusal(self, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
        """What a request that arrived over HTTP is answered, where its role may not do what it asks for.

        Args:
            environ: WSGI environment; a body that is read is put back.
            scope: of the request's signature; None for an unsigned one.
        """
        session = self.sessions.find(scope.access_key) if self.enabled and scope is not None else None
        if session is None or scope is None:
            return None
        try:
            operation = operation_of(environ, scope)
            if operation is not None:
                self.operation(session, operation, scope.region)
        except AwsError as error:
            return error
        except Exception:  # the boundary: what cannot be decided must not take the connection with it
            logger.exception("it could not be told what %s needs", environ["PATH_INFO"])
            return AwsError("InternalFailure", "the local endpoint could not tell what this needs; see its log", 500)
        return None

    def absence(self, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
        """What is answered to a role that asks for an object that is not there.

        Whether an object exists is told to those who may list its bucket ("Permissions" of GetObject in the S3 API
        reference).

        Args:
            environ: WSGI environment.
            scope: of the request's signature; None for an unsigned one.
        """
        session = self.sessions.find(scope.access_key) if self.enabled and scope is not None else None
        if session is None or scope is None or scope.signing_name != "s3" or environ["REQUEST_METHOD"] not in _READS:
            return None
        operation = operation_of(environ, scope)
        if operation is None or "Key" not in operation.request:
            return None
        try:
            self.call(session, Call("s3:ListBucket", f"arn:aws:s3:::{operation.request['Bucket']}"), scope.region)
        except AwsError as error:
            return error
        return None

    def operation(self, session: RoleSession, operation: Operation, region: str | None = None) -> None:
        """Somebody makes a call under a role.

        Raises:
            AwsError: the role may not make it.
        """
        place = Place(region or self._region, session.account)
        calls = needed(operation.service, operation.name, operation.request, place)
        for call in [*calls, *key_use(operation, calls, place)]:
            self.call(session, call, place.region)

    def call(self, session: RoleSession, call: Call, region: str | None = None) -> None:
        """Somebody uses one action under a role.

        Raises:
            AwsError: the role may not use it.
        """
        if self._recorder is not None:
            self._recorder.record(session.role_arn, call, session.source)
        if not self.enforces:
            return
        evaluation = self.evaluate(session, call, region)
        if not evaluation.allowed:
            raise _denied(session, call, evaluation)

    def evaluate(self, session: RoleSession, call: Call, region: str | None = None) -> Evaluation:
        """What the role's policies say to a call; a role that does not exist allows nothing."""
        identity = identity_of(session.role_arn)
        if identity is None:
            return Evaluation(Decision.IMPLICIT_DENY, refused_by=IDENTITY)
        boundaries = dict(identity.boundaries)
        if session.policy:
            boundaries[_SESSION_POLICY] = [parsed(_SESSION_POLICY, session.policy)]
        whole = replace(call, context={**_always(session, region or self._region), **call.context})
        return evaluate(whole, identity.policies, boundaries)

    def check_trust(self, role_arn: str, service: str, context: Mapping[str, str]) -> None:
        """A service takes a role on.

        Args:
            service: such as ``sagemaker.amazonaws.com``.
            context: condition key in lower case → value.

        Raises:
            AwsError: the role does not exist, or does not trust the service.
        """
        if not self.enforces:
            return
        trust = trust_policy_of(role_arn)
        call = Call("sts:AssumeRole", role_arn, {key: (value,) for key, value in context.items()})
        if trust is None or not allows_principal(trust, call, {"Service": service}):
            raise AwsError(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role.",
            )

    def service_call(self, service: str, call: Call, source: str, policy: Callable[[], str | None]) -> None:
        """A service acts as itself on a resource that has a policy of its own.

        Args:
            service: such as ``events.amazonaws.com``.
            source: what makes it act, such as a rule's ARN.
            policy: gives the resource's policy; None where it has none.

        Raises:
            AwsError: the resource's policy does not allow it.
        """
        if self._recorder is not None:
            self._recorder.record(service, call, source)
        if not self.enforces:
            return
        text = policy()
        if text is None or not allows_principal(Policy.parse(call.resource, text), call, {"Service": service}):
            raise AwsError(
                "AccessDeniedException",
                f"User: {service} is not authorized to perform: {call.action} on resource: {call.resource} "
                f"because no resource-based policy allows the {call.action} action",
                _FORBIDDEN,
            )


def _always(session: RoleSession, region: str) -> dict[str, tuple[str, ...]]:
    """Condition keys that every request has ("AWS global condition context keys" in the IAM user guide)."""
    now = datetime.now(UTC)
    return {
        "aws:principalarn": (session.role_arn,),
        "aws:principalaccount": (session.account,),
        "aws:principaltype": ("AssumedRole",),
        "aws:userid": (f"AROA:{session.name}",),
        "aws:requestedregion": (region,),
        "aws:resourceaccount": (session.account,),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:sourceip": ("127.0.0.1",),
        # The loopback interface stands for TLS.
        "aws:securetransport": ("true",),
        "aws:viaawsservice": ("false",),
    }


def _denied(session: RoleSession, call: Call, evaluation: Evaluation) -> AwsError:
    service = call.action.partition(":")[0]
    by = _KINDS.get(evaluation.refused_by or "", evaluation.refused_by or "")
    article = "an" if by.startswith("i") else "a"
    why = (
        f"with an explicit deny in {article} {by}"
        if evaluation.decision is Decision.EXPLICIT_DENY
        else f"because no {by} allows the {call.action} action"
    )
    resource = f'"{call.resource}"' if service == "s3" else call.resource
    on = "" if call.resource == "*" and service == "s3" else f" on resource: {resource}"
    message = f"User: {session.arn} is not authorized to perform: {call.action}{on} {why}"
    if service in _ACCESS_DENIED:
        return AwsError("AccessDenied", message, _FORBIDDEN)
    return AwsError("AccessDeniedException", message)
