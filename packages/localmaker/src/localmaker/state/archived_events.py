"""The events of EventBridge's archives as pieces of their own: they become more with every event."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

from moto.events.models import Archive, Rule, events_backends

from localmaker.state.parts import part_id, part_name
from localmaker.state.recording import Change
from localmaker.state.tracking import touch_part


class ArchivedEvents:
    """The events in the archives of a region."""

    kind = "archived-event"
    service = "events"

    def are_all_of(self, change: Change) -> bool:
        # Other services' events come to archives, too.
        return change.operation == "PutEvents" or change.service not in ("events", "scheduler", "cloudformation")

    def names(self, backend: Any) -> Iterator[str]:
        for archive in list(backend.archives.values()):
            for index in range(len(archive.events)):
                yield part_name(archive.name, str(index))

    def find(self, backend: Any, name: str) -> Any:
        archive_name, index = json.loads(name)
        archive = backend.archives.get(archive_name)
        return archive.events[int(index)] if archive is not None and int(index) < len(archive.events) else None

    def restore(self, backend: Any, name: str, state: Any) -> None:
        backend.archives[json.loads(name)[0]].events.append(state)


def install() -> None:
    """Note which events come to archives, for the whole process; doing it again changes nothing."""
    Archive.__getstate__ = _without_events
    Rule._send_to_events_archive = _send_to_events_archive  # noqa: SLF001 - moto has no hook for it


# An event's place is its name.
_appending = threading.Lock()
_moto_send_to_events_archive = Rule._send_to_events_archive  # noqa: SLF001 - as above


def _without_events(archive: Any) -> dict[str, Any]:
    return {**archive.__dict__, "events": []}


def _send_to_events_archive(rule: Any, resource_id: str, event: Any) -> None:
    archive = events_backends[rule.account_id][rule.region_name].archives.get(resource_id.split(":", maxsplit=1)[0])
    with _appending:
        _moto_send_to_events_archive(rule, resource_id, event)
        place = len(archive.events) - 1
    touch_part(part_id(ArchivedEvents.kind, rule.account_id, rule.region_name, archive.name, str(place)))
