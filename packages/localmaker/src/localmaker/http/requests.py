"""What the endpoint knows about the request that the current thread answers.

moto's backends call back into the endpoint (S3 notifications) without handing the request on; this carries it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass
class CurrentRequest:
    """One HTTP request on its way through moto.

    Attributes:
        request_id: the id that the response carries; S3 events name it.
        source_ip: the client's address.
        s3_events: what has happened to objects so far, as EventBridge's events.
        created: bucket and key of the objects that it has written.
        sequencers: of what it did, by bucket, key and version: all who are told of one thing get the same.
    """

    request_id: str
    source_ip: str
    s3_events: list[dict[str, Any]] = field(default_factory=list)
    created: set[tuple[str, str]] = field(default_factory=set)
    sequencers: dict[tuple[str, str, str], str] = field(default_factory=dict)


current_request: ContextVar[CurrentRequest | None] = ContextVar("current_request", default=None)
