"""Archives of event buses: archiving and replay. moto keeps the archives, and a rule for each.

moto archives entries of PutEvents only, and replays a whole archive whatever times the request names.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from moto.core.utils import unix_time
from moto.events.models import Replay, ReplayState, events_backends

from localmaker.services.events.patterns import matches
from localmaker.state.changes import Change, touch_part
from localmaker.state.parts import part_id, part_name, register

_ARCHIVE = re.compile(r'"archive-arn": "[^"]+/([^"]+)"')


def install() -> None:
    """Put the replay into moto, for the whole process; doing it again changes nothing."""
    register(ArchivedEvents())
    Replay.replay_events = _replay_events


class ArchivedEvents:
    """The events of each archive of a region, as parts of its backend: most requests that touch it only add events."""

    kind = "archive"
    service = "events"

    def changes_only_parts(self, change: Change) -> bool:
        """Return whether a request changes nothing but archived events; events of other services are archived, too."""
        return change.operation == "PutEvents" or change.service not in ("events", "scheduler", "cloudformation")

    def names(self, backend: Any) -> Iterator[str]:
        """Yield the name of each archive."""
        for name in list(backend.archives):
            yield part_name(name)

    def find(self, backend: Any, name: str) -> Any:
        """Return the events of an archive, or None."""
        found = backend.archives.get(json.loads(name)[0])
        return found.events if found is not None else None

    def restore(self, backend: Any, name: str, state: Any) -> None:
        """Give an archive its stored events."""
        backend.archives[json.loads(name)[0]].events = state

    def remove(self, backend: Any, name: str) -> None:
        """Empty an archive, if it is there; the archive itself belongs to the backend."""
        found = backend.archives.get(json.loads(name)[0])
        if found is not None:
            found.events = []


def archive(rule: Any, event: dict[str, Any]) -> None:
    """Archive an event if the rule is one that moto made for an archive, and matches."""
    for target in rule.targets:
        marked = _ARCHIVE.search((target.get("InputTransformer") or {}).get("InputTemplate", ""))
        if marked and matches(rule.event_pattern.get_pattern(), event):
            rule._send_to_events_archive(marked[1], event)  # noqa: SLF001 - as moto calls it
            name = marked[1].partition(":")[0]
            touch_part(part_id(ArchivedEvents.kind, rule.account_id, rule.region_name, name))


def is_for_an_archive(rule: Any) -> bool:
    """Return whether moto made a rule for an archive."""
    return any(
        "archive-arn" in (target.get("InputTransformer") or {}).get("InputTemplate", "") for target in rule.targets
    )


def _replay_events(replay: Any, archived: Any) -> None:
    bus = events_backends[replay.account_id][replay.region].describe_event_bus(replay.destination["Arn"].split("/")[-1])
    wanted = replay.destination.get("FilterArns") or [rule.arn for rule in bus.rules.values()]
    begin, end = _moment(replay.event_start_time), _moment(replay.event_end_time)
    for event in [one for one in archived.events if begin <= _moment(one["time"]) <= end]:
        again = {**event, "id": str(uuid.uuid4()), "replay-name": replay.name}
        for rule in list(bus.rules.values()):
            if rule.arn in wanted:
                rule.send_to_targets(again, transform_input=False)
    replay.state = ReplayState.COMPLETED
    replay.end_time = unix_time()


def _moment(value: Any) -> datetime:
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, UTC)
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
