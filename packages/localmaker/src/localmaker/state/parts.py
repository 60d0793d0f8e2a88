"""Parts of a service's backend that are stored one by one, because there are many and each changes alone.

A service with such parts registers them with :func:`register`; the services themselves are not known here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from localmaker.state.changes import Change
from localmaker.state.store import PieceId


class Parts(Protocol):
    """The parts of one kind in the backends of one service. The backend's own piece leaves them out.

    Attributes:
        kind: the kind of their pieces.
        service: the service as moto names it.
    """

    kind: str
    service: str

    def changes_only_parts(self, change: Change) -> bool:
        """Return whether a request changes nothing of the service but parts."""

    def names(self, backend: Any) -> Iterator[str]:
        """Yield the name of each part of a backend, in order."""

    def find(self, backend: Any, name: str) -> Any:
        """Return the state of a part, or None if there is none of that name."""

    def restore(self, backend: Any, name: str, state: Any) -> None:
        """Give a backend a stored part, in place of one of that name. Parts come in the order of their creation."""

    def remove(self, backend: Any, name: str) -> None:
        """Remove a part from a backend, if it is there."""


_by_kind: dict[str, Parts] = {}


def register(parts: Parts) -> None:
    """Store the parts one by one from now on."""
    _by_kind[parts.kind] = parts


def of_kind(kind: str) -> Parts:
    """Return the parts of a kind.

    Raises:
        KeyError: there is no such kind.
    """
    return _by_kind[kind]


def of_service(service: str) -> Parts | None:
    """Return the parts of a service, or None if its backends are stored as a whole."""
    return next((parts for parts in _by_kind.values() if parts.service == service), None)


def part_name(*names: str) -> str:
    """Return the name of a part, made of the names that lead to it."""
    return json.dumps(names)


def part_id(kind: str, account: str, region: str, *names: str) -> PieceId:
    """Return the id of the piece of a part."""
    return PieceId(kind, f"{account}/{region}", part_name(*names))
