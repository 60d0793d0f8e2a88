"""Services that act under roles in this process: a job's transfers and logs, a pipeline's calls, EventBridge's.

As in AWS they sign with temporary credentials of the role, so that what they do over HTTP is told to
:mod:`~localmaker.services.iam.authorization` where everything is. What they do without a request is told to it here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localmaker.errors import AwsError, LocalmakerError
from localmaker.services.iam.actions import Place
from localmaker.services.iam.authorization import Authorization
from localmaker.services.iam.calls import Operation
from localmaker.services.iam.evaluation import Call
from localmaker.services.iam.service_work import work_for_job
from localmaker.services.iam.sessions import Credentials, RoleSession

SAGEMAKER, EVENTS, SCHEDULER = "sagemaker.amazonaws.com", "events.amazonaws.com", "scheduler.amazonaws.com"
#: (service, region, credentials) → boto3 client of the endpoint
NewClient = Callable[[str, str, Credentials | None], Any]


class RoleRefusedError(LocalmakerError):
    """A role may not do what a job needs before it can run."""


@dataclass(frozen=True)
class JobIdentity:
    """What one job works with.

    Attributes:
        s3, logs: clients for transfers and log lines.
        variables: credentials for its own processes.
    """

    s3: Any
    logs: Any
    variables: Mapping[str, str]


class Acting:
    """Gives services what they need to act under a role.

    Args:
        authorization: is told of it.
        new_client: makes a client; without credentials the endpoint's own.
        region: of the endpoint.
        account: of the endpoint.
    """

    def __init__(self, authorization: Authorization, new_client: NewClient, region: str, account: str) -> None:
        self._authorization = authorization
        self._new_client = new_client
        self._place = Place(region, account)
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, str, str], Any] = {}

    @contextmanager
    def job(
        self, log_group: str, arn: str, role_arn: str, image: str | None, request: Mapping[str, Any]
    ) -> Iterator[JobIdentity]:
        """A job while it runs.

        Args:
            log_group: ``/aws/sagemaker/TrainingJobs`` and so on.
            arn: of the job.
            role_arn: its execution role; without one it works with the endpoint's own credentials.
            image: URI of its container image, if it is known.
            request: the Create request.

        Raises:
            RoleRefusedError: the role may not do what every such job needs.
        """
        if not _is_role(role_arn):
            yield JobIdentity(self._own("s3"), self._own("logs"), {})
            return
        session = RoleSession(role_arn, "SageMaker", arn)
        credentials = self._authorization.sessions.open(session)
        clients: list[Any] = []

        def client(service: str) -> Any:
            # Without anybody who listens one client for all is enough.
            if not self._authorization.enabled:
                return self._own(service)
            with self._lock:
                clients.append(self._new_client(service, self._place.region, credentials))
            return clients[-1]

        try:
            if self._authorization.enabled:
                self._start(session, log_group, image, request)
            yield JobIdentity(client("s3"), client("logs"), credentials.variables())
        finally:
            self._authorization.sessions.close(credentials.access_key)
            for one in clients:
                one.close()

    def _start(self, session: RoleSession, log_group: str, image: str | None, request: Mapping[str, Any]) -> None:
        account = {"aws:sourceaccount": self._place.account, "aws:sourcearn": session.source}
        try:
            self._authorization.check_trust(session.role_arn, SAGEMAKER, account)
        except AwsError as error:
            raise RoleRefusedError(error.message) from error
        for work in work_for_job(log_group, image, request, self._place):
            try:
                self._authorization.call(session, work.call, self._place.region)
            except AwsError as error:
                if work.refused:
                    raise RoleRefusedError(f"{work.refused} {error.message}") from error

    def client(self, service: str, role_arn: str | None, source: str, name: str, region: str | None = None) -> Any:
        """A client that acts under a role; the endpoint's own where there is no role.

        Args:
            source: what acts, such as ``events.amazonaws.com``.
            name: of the session.
        """
        if not self._authorization.enabled or role_arn is None or not _is_role(role_arn):
            return self._own(service, region)
        key = (service, region or self._place.region, role_arn, source)
        with self._lock:
            if key not in self._clients:
                credentials = self._authorization.sessions.open(RoleSession(role_arn, name, source))
                self._clients[key] = self._new_client(service, key[1], credentials)
            return self._clients[key]

    def client_of_events(self, service: str, role_arn: str | None, rule_arn: str, region: str) -> Any:
        """A client that EventBridge uses for a target of a rule or a schedule; see :meth:`client`.

        Raises:
            AwsError: the role does not trust it.
        """
        if role_arn is not None and _is_role(role_arn):
            principal = SCHEDULER if ":schedule/" in rule_arn else EVENTS
            context = {"aws:sourceaccount": self._place.account, "aws:sourcearn": rule_arn}
            self._authorization.check_trust(role_arn, principal, context)
        return self.client(service, role_arn, rule_arn, "events", region)

    def call(self, role_arn: str, source: str, name: str, operation: Operation) -> None:
        """A service makes a call under a role, without a request.

        Raises:
            AwsError: the role may not.
        """
        if self._authorization.enabled and _is_role(role_arn):
            self._authorization.operation(RoleSession(role_arn, name, source), operation, self._place.region)

    def as_service(
        self, service: str, action: str, resource: str, source: str, policy: Callable[[], str | None]
    ) -> None:
        """A service acts as itself on something that has a policy of its own.

        Args:
            policy: gives the resource's policy.

        Raises:
            AwsError: the policy does not allow it.
        """
        if self._authorization.enabled:
            context = {"aws:sourcearn": (source,), "aws:sourceaccount": (self._place.account,)}
            self._authorization.service_call(service, Call(action, resource, context), source, policy)

    def close(self) -> None:
        """Close the clients."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def _own(self, service: str, region: str | None = None) -> Any:
        return self._new_client(service, region or self._place.region, None)


def _is_role(arn: str) -> bool:
    return arn.startswith("arn:aws:iam::") and ":role/" in arn
