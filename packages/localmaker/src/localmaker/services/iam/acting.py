"""Clients for services that act under roles in this process: jobs, pipelines, EventBridge.

As in AWS they sign with temporary credentials of the role, so that :mod:`~localmaker.services.iam.authorization` sees
their requests like all others. What they do without a request is reported to it here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localmaker.errors import AwsError, LocalmakerError
from localmaker.services.iam.actions import Location
from localmaker.services.iam.authorization import Authorization
from localmaker.services.iam.calls import Operation
from localmaker.services.iam.evaluation import Call
from localmaker.services.iam.policies import is_role
from localmaker.services.iam.service_work import service_calls
from localmaker.services.iam.sessions import Principal
from localmaker.state.credentials import ANY, Credentials

SAGEMAKER, EVENTS, SCHEDULER = "sagemaker.amazonaws.com", "events.amazonaws.com", "scheduler.amazonaws.com"
LAMBDA, S3, CLOUDWATCH = "lambda.amazonaws.com", "s3.amazonaws.com", "cloudwatch.amazonaws.com"
# EventBridge asks the resource's own policy where a target has no role.
_RESOURCE_POLICIES = {"sqs", "sns"}
#: (service, region, credentials) → boto3 client of the endpoint
NewClient = Callable[[str, str, Credentials | None], Any]


class RoleRefusedError(LocalmakerError):
    """A role may not do what a job needs before it can run."""


@dataclass(frozen=True)
class JobIdentity:
    """The clients and credentials of one job.

    Attributes:
        s3, logs: clients for transfers and log lines.
        variables: environment variables with the credentials for its processes.
    """

    s3: Any
    logs: Any
    variables: Mapping[str, str]


class Acting:
    """Gives services clients and credentials to act under a role.

    Args:
        authorization: records and decides every action.
        new_client: creates a client; without credentials the endpoint's own.
        region: of the endpoint.
        account: of the endpoint.
    """

    def __init__(self, authorization: Authorization, new_client: NewClient, region: str, account: str) -> None:
        self._authorization = authorization
        self._new_client = new_client
        self._location = Location(region, account)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, str, str], Any] = {}

    @contextmanager
    def job(
        self, log_group: str, arn: str, role_arn: str, image: str | None, request: Mapping[str, Any]
    ) -> Iterator[JobIdentity]:
        """Give a job its identity for as long as it runs.

        Args:
            log_group: ``/aws/sagemaker/TrainingJobs`` and so on.
            arn: of the job.
            role_arn: its execution role; without one it gets the endpoint's own credentials.
            image: URI of its container image, if known.
            request: the Create request.

        Raises:
            RoleRefusedError: the role may not do what every such job needs.
        """
        if not is_role(role_arn):
            if self._authorization.enforces:
                raise RoleRefusedError(f"Could not assume role {role_arn}: it is not the ARN of a role.")
            yield JobIdentity(self._own("s3"), self._own("logs"), {})
            return
        session = Principal(role_arn, "SageMaker", arn)
        credentials = self._authorization.sessions.open(session)
        clients: list[Any] = []

        def client(service: str) -> Any:
            # If nobody records or enforces, one client for all is enough.
            if not self._authorization.enabled:
                return self._own(service)
            with self._lock:
                clients.append(self._new_client(service, self._location.region, credentials))
            return clients[-1]

        try:
            if self._authorization.enabled:
                self._start(session, log_group, image, request)
            yield JobIdentity(client("s3"), client("logs"), credentials.variables())
        finally:
            self._authorization.sessions.close(credentials.access_key)
            for one in clients:
                one.close()

    def _start(self, session: Principal, log_group: str, image: str | None, request: Mapping[str, Any]) -> None:
        account = {"aws:sourceaccount": self._location.account, "aws:sourcearn": session.source}
        try:
            self._authorization.check_trust(session.identity_arn, SAGEMAKER, account)
        except AwsError as error:
            raise RoleRefusedError(error.message) from error
        for one in service_calls(log_group, image, request, self._location):
            try:
                self._authorization.call(session, one.call, self._location.region)
            except AwsError as error:
                if one.refused:
                    raise RoleRefusedError(f"{one.refused} {error.message}") from error

    def client(self, service: str, role_arn: str | None, source: str, name: str, region: str | None = None) -> Any:
        """Return a client that acts under a role, or the endpoint's own without a role.

        Args:
            source: what acts, such as ``events.amazonaws.com``.
            name: of the session.
        """
        if role_arn is None or not self._sees(role_arn):
            return self._own(service, region)
        key = (service, region or self._location.region, role_arn, source)
        with self._lock:
            if key not in self._clients:
                credentials = self._authorization.sessions.open(Principal(role_arn, name, source))
                self._clients[key] = self._new_client(service, key[1], credentials)
            return self._clients[key]

    def client_of_events(self, service: str, role_arn: str | None, rule_arn: str, region: str) -> Any:
        """Return EventBridge's client for a target of a rule or schedule; see :meth:`client`.

        Raises:
            AwsError: the role does not trust EventBridge, or there is none where only a role can be asked.
        """
        without = role_arn is None and service in _RESOURCE_POLICIES
        if self._authorization.enforces and not without and not is_role(role_arn or ""):
            raise AwsError("AccessDeniedException", f"the target of {rule_arn} has no role", 403)
        if role_arn is not None and is_role(role_arn):
            self._check_trust_of_events(role_arn, rule_arn)
        return self.client(service, role_arn, rule_arn, "events", region)

    def check_schedule_role(self, role_arn: str, schedule_arn: str) -> None:
        """Check that EventBridge Scheduler may assume the role of a schedule's target.

        Raises:
            AwsError: ValidationException if it may not.
        """
        try:
            self._check_trust_of_events(role_arn, schedule_arn)
        except AwsError as error:
            message = "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
            raise AwsError("ValidationException", message) from error

    def _check_trust_of_events(self, role_arn: str, arn: str) -> None:
        principal, source = EVENTS, arn
        if ":schedule/" in arn:
            # The group, not the schedule: "Confused deputy prevention" in Scheduler's user guide.
            principal, source = SCHEDULER, arn.replace(":schedule/", ":schedule-group/").rpartition("/")[0]
        context = {"aws:sourceaccount": self._location.account, "aws:sourcearn": source}
        self._authorization.check_trust(role_arn, principal, context)

    @contextmanager
    def function(self, role_arn: str | None, arn: str) -> Iterator[Mapping[str, str]]:
        """Give a function credentials of its role, as environment variables, for as long as a call of it runs.

        Args:
            role_arn: its execution role; without one it gets the endpoint's own credentials.
            arn: of the function, or its name.

        Raises:
            AwsError: AccessDeniedException if Lambda may not assume the role.
        """
        if not self._authorization.enabled or role_arn is None:
            yield self._authorization.own.variables()
            return
        if not is_role(role_arn):
            yield ANY.variables()
            return
        self.check_function_role(role_arn, arn)
        credentials = self._authorization.sessions.open(Principal(role_arn, _name_of(arn), arn))
        try:
            yield credentials.variables()
        finally:
            self._authorization.sessions.close(credentials.access_key)

    @contextmanager
    def caller(self, principal: Principal | None, region: str) -> Iterator[Callable[[str], Any]]:
        """Give a service clients with the rights of who has sent a request, for as long as it works for them.

        Args:
            principal: who it is; None for one who may do everything.
            region: of the request.

        Yields:
            What returns the client of a service.
        """
        if principal is None:
            yield lambda service: self._own(service, region)
            return
        credentials = self._authorization.sessions.open(principal)
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in clients:
                clients[service] = self._new_client(service, region, credentials)
            return clients[service]

        try:
            yield client
        finally:
            self._authorization.sessions.close(credentials.access_key)
            for one in clients.values():
                one.close()

    def check_caller(self, principal: Principal | None, action: str, resource: str, region: str) -> None:
        """Check that who has sent a request may do what the request does not say.

        Raises:
            AwsError: AccessDeniedException if they may not.
        """
        if principal is not None:
            self._authorization.call(principal, Call(action, resource), region)

    def check_function_role(self, role_arn: str, arn: str) -> None:
        """Check that Lambda may assume a function's role.

        Args:
            role_arn: its execution role.
            arn: of the function, or its name.

        Raises:
            AwsError: AccessDeniedException if it may not.
        """
        # Functions of every region come here.
        region = arn.split(":")[3] if arn.startswith("arn:") else self._location.region
        source = f"arn:aws:lambda:{region}:{self._location.account}:function:{_name_of(arn)}"
        try:
            self._authorization.check_trust(
                role_arn, LAMBDA, {"aws:sourceaccount": self._location.account, "aws:sourcearn": source}
            )
        except AwsError as error:
            message = "The role defined for the function cannot be assumed by Lambda."
            raise AwsError("AccessDeniedException", message, 403) from error

    def check_call(self, role_arn: str, arn: str, call: Call) -> None:
        """Check that a function's role may make a call.

        Raises:
            AwsError: it may not.
        """
        if self._sees(role_arn):
            self._authorization.call(Principal(role_arn, _name_of(arn), arn), call, self._location.region)

    def call(self, role_arn: str, source: str, name: str, operation: Operation) -> None:
        """Report a call that a service makes under a role without a request.

        Raises:
            AwsError: the role may not make it.
        """
        if self._sees(role_arn):
            self._authorization.operation(Principal(role_arn, name, source), operation, self._location.region)

    def as_service(
        self, service: str, action: str, resource: str, source: str, policy: Callable[[], str | None]
    ) -> None:
        """Report that a service acts as itself on a resource with a policy of its own.

        Args:
            policy: returns the resource's policy.

        Raises:
            AwsError: the policy does not allow it.
        """
        if self._authorization.enabled:
            context = {"aws:sourcearn": (source,), "aws:sourceaccount": (self._location.account,)}
            self._authorization.service_call(service, Call(action, resource, context), source, policy)

    def close(self) -> None:
        """Close the clients."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _sees(self, role_arn: str) -> bool:
        """Return whether authorization is asked about what is done under a role; where it decides, about all of it."""
        return self._authorization.enforces or (self._authorization.enabled and is_role(role_arn))

    def _own(self, service: str, region: str | None = None) -> Any:
        return self._new_client(service, region or self._location.region, None)


def _name_of(arn: str) -> str:
    """Return the name of a function, of which the ARN or the name is given."""
    return arn.split(":")[6] if arn.count(":") > 5 else arn  # noqa: PLR2004 - arn:aws:lambda:…:function:name
