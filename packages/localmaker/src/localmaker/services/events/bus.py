"""The event buses: moto keeps rules and targets, this matches events against them and delivers them."""

from __future__ import annotations

import copy
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import events_backends

from localmaker.ports import LocalEndpoint, PendingDeliveries
from localmaker.services.events.archives import archive, is_for_an_archive
from localmaker.services.events.delivery import Deliveries, Outgoing, outgoing
from localmaker.services.events.patterns import matches
from localmaker.services.events.targets import Matched, TargetAccess
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.state.changes import Change, only_looking
from localmaker.state.moto_state import MotoState

logger = logging.getLogger(__name__)


class EventBridge:
    """Publishes events to the rules of the endpoint's event buses.

    Args:
        endpoint: whose account, region and APIs are used.
        acting: gives clients that act under the targets' roles.
        functions: holds the calls of functions that deliveries wait for.
        outbox: returns the state that stores deliveries; called from the first event on.
    """

    def __init__(
        self, endpoint: LocalEndpoint, acting: Acting, functions: RunningFunctions, outbox: Callable[[], MotoState]
    ) -> None:
        self._endpoint = endpoint
        self._outbox = outbox
        self._functions = functions
        self._deliveries = Deliveries(TargetAccess(endpoint, acting, functions, self), outbox)

    def publish(self, event: dict[str, Any], bus: str = "default", region: str | None = None) -> None:
        """Send an event to every matching rule of a bus. Return at once; a failing target raises nothing.

        Args:
            event: EventBridge's envelope. ``source``, ``detail-type`` and ``detail`` are needed; ``version``, ``id``,
                ``time``, ``account``, ``region`` and ``resources`` are filled in if missing.
            bus: the event bus's name.
            region: of the bus; by default the event's own, else the endpoint's.
        """
        with self._outbox().recording(Change("", "", alone=False)) as kept:
            deliveries = self.matching(event, bus, region)
            kept |= {one.delivery_id: one.dump() for one in deliveries}
        self._deliveries.submit(deliveries, kept=True)

    def prepare(self, events: Iterable[dict[str, Any]], others: Iterable[Outgoing] = ()) -> PendingDeliveries:
        """Archive events, and return the deliveries that they cause, and others."""
        return self._deliveries.pending([*others, *(one for event in events for one in self.matching(event))])

    def matching(self, event: dict[str, Any], bus: str = "default", region: str | None = None) -> list[Outgoing]:
        """Archive an event, and return the deliveries that it causes.

        The arguments are those of :meth:`publish`.
        """
        whole = self.envelope(event)
        with only_looking():
            found = events_backends[self._endpoint.account_id][region or whole["region"]].event_buses.get(bus)
            rules = list(found.rules.values()) if found else []
        for rule in rules:
            archive(rule, whole)
        return [one for rule in rules for one in _of_rule(rule, whole)]

    def submit(self, deliveries: list[Outgoing]) -> None:
        """Store deliveries in the outbox and make them."""
        self._deliveries.submit(deliveries)

    def offer(self, rule: Any, event: dict[str, Any]) -> None:
        """Deliver an event to the targets of one of moto's rules, if it is enabled and matches."""
        self._deliveries.submit(_of_rule(rule, event))

    def resume(self) -> None:
        """Make the deliveries that an earlier endpoint left in the outbox."""
        self._deliveries.resume()

    def envelope(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the event with every field of EventBridge's envelope, in its order."""
        detail = event.get("detail")
        return {
            "version": "0",
            "id": event.get("id") or str(uuid.uuid4()),
            "detail-type": event["detail-type"],
            "source": event["source"],
            "account": event.get("account") or self._endpoint.account_id,
            "time": iso_time(event.get("time")),
            "region": event.get("region") or self._endpoint.region,
            "resources": list(event.get("resources") or []),
            "detail": json.loads(json.dumps(detail if detail is not None else {}, default=_json_value)),
            **({"replay-name": event["replay-name"]} if "replay-name" in event else {}),
        }

    def forget(self) -> None:
        """Drop the deliveries that wait, and end the processes of functions; the caller empties the outbox."""
        self._functions.idle.end_all()
        self._deliveries.forget()

    def close(self) -> None:
        """Stop delivering."""
        self._functions.stop_all()
        self._deliveries.close()


def _of_rule(rule: Any, event: dict[str, Any]) -> list[Outgoing]:
    pattern = rule.event_pattern.get_pattern()
    if rule.state == "DISABLED" or not pattern or not matches(pattern, event):
        return []
    if is_for_an_archive(rule):
        return []
    return [outgoing(Matched(event, rule.arn, copy.deepcopy(target))) for target in rule.targets]


def iso_time(value: Any) -> str:
    """Return a time as events carry it: ``2026-01-31T12:00:00Z``.

    Args:
        value: text, a datetime, seconds since 1970, or None for now.
    """
    if value is None or value == "":
        moment = datetime.now(UTC)
    elif isinstance(value, datetime):
        moment = value.astimezone(UTC)
    elif isinstance(value, (int, float)):
        moment = datetime.fromtimestamp(value, UTC)
    else:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_time(value)
    raise TypeError(f"an event cannot hold a {type(value).__name__}")
