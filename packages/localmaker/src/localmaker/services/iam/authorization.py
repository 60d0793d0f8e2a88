"""Authorization of every action under a role: records it and, if asked to, refuses it.

Neither is done by default, and then nothing here costs time. Where actions are refused, so is everybody who has no
credentials of the endpoint's, and users may do what their policies allow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError
from localmaker.ports import CredentialScope
from localmaker.services.iam.actions import Location, required_calls
from localmaker.services.iam.authentication import Authentication
from localmaker.services.iam.boundaries import with_boundary
from localmaker.services.iam.calls import Operation, is_ambiguous, operation_of
from localmaker.services.iam.encryption import key_use
from localmaker.services.iam.evaluation import IDENTITY, Call, Decision, Evaluation, Policy, allows_principal, evaluate
from localmaker.services.iam.policies import identity_of, is_role, parsed, trust_policy_of
from localmaker.services.iam.recording import ActionRecorder
from localmaker.services.iam.sessions import Principal, Sessions
from localmaker.state.credentials import ANY, Credentials

logger = logging.getLogger(__name__)

_SESSION_POLICY = "session policy"
_KINDS = {IDENTITY: "identity-based policy"}
_FORBIDDEN = 403
# Who has sent a request, in its WSGI environment.
_PRINCIPAL = "localmaker.principal"
_requester: ContextVar[Principal | None] = ContextVar("requester", default=None)
_READS = {"GET", "HEAD"}
# Services whose protocol is XML; the others answer 400 and AccessDeniedException.
_ACCESS_DENIED = {"s3", "iam", "sts", "ec2"}


@dataclass(frozen=True)
class IamSettings:
    """Settings for IAM.

    Attributes:
        record: file to which the actions under roles are written; None records nothing.
        enforce: whether to refuse actions that a role's policies do not allow.
    """

    record: Path | None = None
    enforce: bool = False


def requester() -> Principal | None:
    """Return who has sent the request that this thread answers; None where nothing is recorded or refused."""
    return _requester.get()


class Authorization:
    """Records and decides the actions under roles.

    Args:
        settings: whether to record and to refuse.
        region: of the endpoint's own calls.
        administrator: credentials of the one who may do everything; needed to refuse others.

    Attributes:
        own: the credentials of the endpoint itself.
    """

    def __init__(self, settings: IamSettings, region: str, administrator: Credentials | None = None) -> None:
        self.sessions = Sessions()
        self.own = administrator or ANY
        self.enforces = settings.enforce
        self._authentication = Authentication(self.sessions, self.own, region) if settings.enforce else None
        self._region = region
        self._recorder = ActionRecorder(settings.record) if settings.record is not None else None

    @property
    def enabled(self) -> bool:
        """Whether actions are recorded or refused at all."""
        return self.enforces or self._recorder is not None

    def close(self) -> None:
        """Close the record."""
        if self._recorder is not None:
            self._recorder.close()

    def refusal(self, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
        """Return the error for an HTTP request that its role or user may not make; None if it may.

        Args:
            environ: WSGI environment; a body that was read is put back.
            scope: of the request's signature; None for an unsigned one.
        """
        if not self.enabled:
            return None
        try:
            session = self._principal(environ, scope)
            if session is not None:
                self._request(session, environ, scope or CredentialScope("", self._region, "s3"))
        except AwsError as error:
            return error
        except Exception:  # the boundary: a failure here must not break the connection
            logger.exception("could not determine which actions %s needs", environ["PATH_INFO"])
            return AwsError(
                "InternalFailure",
                "the local endpoint could not determine which actions this request needs; see its log",
                500,
            )
        return None

    def absence(self, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
        """Return the error for a role that asks for an object that does not exist and may not learn that.

        Only those who may list a bucket learn that an object does not exist ("Permissions" of GetObject in the S3 API
        reference).

        Args:
            environ: WSGI environment.
            scope: of the request's signature; None for an unsigned one.
        """
        session = environ.get(_PRINCIPAL)
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

    def _principal(self, environ: dict[str, Any], scope: CredentialScope | None) -> Principal | None:
        if self._authentication is not None:
            found = self._authentication.principal(environ, scope)
        else:
            found = self.sessions.find(scope.access_key) if scope is not None else None
        environ[_PRINCIPAL] = found
        _requester.set(found)
        return found

    def _request(self, session: Principal, environ: dict[str, Any], scope: CredentialScope) -> None:
        operation = operation_of(environ, scope)
        if self.enforces and (operation is None or is_ambiguous(environ, scope)):
            raise AwsError("AccessDenied", f"User: {session.arn} asks for no single operation", _FORBIDDEN)
        if operation is not None:
            self.operation(session, operation, scope.region)

    def operation(self, session: Principal, operation: Operation, region: str | None = None) -> None:
        """Record an operation under a role, and refuse it if its role may not.

        Raises:
            AwsError: the role may not make it.
        """
        location = Location(region or self._region, session.account)
        calls = required_calls(operation.service, operation.name, operation.request, location)
        for call in [*calls, *key_use(operation, calls, location)]:
            self.call(session, with_boundary(call, operation.request), location.region)
        if self.enforces and (operation.service, operation.name) == ("sts", "AssumeRole"):
            self._check_assumed(session, operation.request)

    def _check_assumed(self, session: Principal, request: Mapping[str, Any]) -> None:
        """Check that a role's trust policy names who wants to assume it."""
        role = str(request.get("RoleArn"))
        trust = trust_policy_of(role) if is_role(role) else None
        given = {"sts:externalid": request.get("ExternalId"), "sts:rolesessionname": request.get("RoleSessionName")}
        context = _always(session, self._region) | {key: (value,) for key, value in given.items() if value}
        call = Call("sts:AssumeRole", role, context)
        if trust is None or not any(
            allows_principal(trust, call, {"AWS": arn}) for arn in (session.identity_arn, session.arn)
        ):
            raise AwsError(
                "AccessDenied",
                f"User: {session.arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
                _FORBIDDEN,
            )

    def call(self, session: Principal, call: Call, region: str | None = None) -> None:
        """Record one action under a role, and refuse it if its role may not.

        Raises:
            AwsError: the role may not use it.
        """
        if self._recorder is not None:
            self._recorder.record(session.identity_arn, call, session.source)
        if not self.enforces:
            return
        evaluation = self.evaluate(session, call, region)
        if not evaluation.allowed:
            raise _denied(session, call, evaluation)

    def evaluate(self, session: Principal, call: Call, region: str | None = None) -> Evaluation:
        """Evaluate a call against the role's policies; a role that does not exist allows nothing."""
        identity = identity_of(session.identity_arn)
        if identity is None:
            return Evaluation(Decision.IMPLICIT_DENY, refused_by=IDENTITY)
        boundaries = dict(identity.boundaries)
        if session.policy:
            boundaries[_SESSION_POLICY] = [parsed(_SESSION_POLICY, session.policy)]
        whole = replace(call, context={**_always(session, region or self._region), **call.context})
        return evaluate(whole, identity.policies, boundaries)

    def check_trust(self, role_arn: str, service: str, context: Mapping[str, str]) -> None:
        """Check that a role trusts a service.

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
        """Record what a service does as itself, and refuse it if the resource's own policy does not allow it.

        Args:
            service: such as ``events.amazonaws.com``.
            source: the cause, such as a rule's ARN.
            policy: returns the resource's policy; None if it has none.

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


def _always(session: Principal, region: str) -> dict[str, tuple[str, ...]]:
    """Return the condition keys that every request has ("AWS global condition context keys" in the IAM user guide)."""
    now = datetime.now(UTC)
    return {
        "aws:principalarn": (session.identity_arn,),
        "aws:principalaccount": (session.account,),
        "aws:principaltype": ("User",) if session.is_user else ("AssumedRole",),
        "aws:userid": (session.name,) if session.is_user else (f"AROA:{session.name}",),
        **({"aws:username": (session.name,)} if session.is_user else {}),
        "aws:requestedregion": (region,),
        "aws:resourceaccount": (session.account,),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:sourceip": ("127.0.0.1",),
        # The loopback interface stands for TLS.
        "aws:securetransport": ("true",),
        "aws:viaawsservice": ("false",),
    }


def _denied(session: Principal, call: Call, evaluation: Evaluation) -> AwsError:
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
