"""What the rooms of the endpoint need of each other: small protocols, and the values that cross them.

A service depends on these and is handed the real thing by :mod:`localmaker.endpoint`, which alone knows all of them.
This module imports nothing but errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from localmaker.errors import AwsError

ServiceT = TypeVar("ServiceT")


class CredentialScope(NamedTuple):
    """What a signature says about a request: whose key, which region, which service."""

    access_key: str
    region: str
    signing_name: str


class CurrentRequest(NamedTuple):
    """The HTTP request that a thread answers, on its way through moto.

    moto's backends call back into the endpoint (S3 notifications) without passing the request on.

    Attributes:
        request_id: the id that the response carries; S3 events name it.
        source_ip: the client's address.
        s3_events: what has happened to objects so far, as EventBridge's events.
        created: bucket and key of the objects that the request has written.
        sequencers: by bucket, key and version: all notifications of one change carry the same sequencer.
        deliveries: what the change causes beside the events; made when the change is stored.
    """

    request_id: str
    source_ip: str
    s3_events: list[dict[str, Any]]
    created: set[tuple[str, str]]
    sequencers: dict[tuple[str, str, str], str]
    deliveries: list[Any]


current_request: ContextVar[CurrentRequest | None] = ContextVar("current_request", default=None)


class AwsClients(Protocol):
    """Creates clients of the endpoint itself."""

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client with the endpoint's own credentials; by default for the endpoint's region."""


class LocalEndpoint(AwsClients, Protocol):
    """The endpoint as services see it: its address, its clients and its other services."""

    @property
    def account_id(self) -> str:
        """Twelve digits."""

    @property
    def region(self) -> str:
        """The region of the endpoint's own calls."""

    @property
    def state_dir(self) -> Path:
        """Where the state is kept."""

    @property
    def url(self) -> str:
        """What clients take as ``AWS_ENDPOINT_URL``."""

    def service(self, kind: type[ServiceT], region: str) -> ServiceT:
        """Return the service of a class: the region's own where each region has one, else the endpoint's.

        Raises:
            LookupError: the endpoint has no such service.
        """


class Authorizer(Protocol):
    """Decides what a request may do under its role."""

    def refusal(self, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
        """Return the error for a request that its role does not allow."""

    def absence(self, environ: dict[str, Any], scope: CredentialScope | None) -> AwsError | None:
        """Return the error that hides from a role whether an object exists."""


class Interceptor(Protocol):
    """Answers admitted requests in the place of the services, which it may ask."""

    def answer(
        self,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        scope: CredentialScope,
        perform: Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]],
    ) -> Iterable[bytes]:
        """Answer one WSGI request; ``perform`` lets the services answer one."""


class EventPublisher(Protocol):
    """Publishes events to EventBridge."""

    def publish(self, event: dict[str, Any], bus: str = "default", region: str | None = None) -> None:
        """Send an event to every matching rule of a bus; return at once."""


class MovableClock(Protocol):
    """The clock that schedules go by."""

    def now(self) -> datetime:
        """Return its time."""

    def move_clock(self, to: datetime, copies: int | None = None) -> datetime | None:
        """Move it, start what has become due (``copies`` times), and return when something is due next."""


class PendingDeliveries(Protocol):
    """Deliveries of events that have matched and are not made yet."""

    @property
    def records(self) -> dict[str, bytes]:
        """What to store before they start, by delivery."""

    def start(self) -> None:
        """Make them, in other threads."""


class EventMatcher(Protocol):
    """Matches events against rules."""

    def prepare(self, events: Iterable[dict[str, Any]], others: Iterable[Any] = ()) -> PendingDeliveries:
        """Return the deliveries that events cause, and others; none is made before it is started."""
