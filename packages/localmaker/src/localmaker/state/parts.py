"""Parts of a service's state that are stored by themselves, since there are many and each changes alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from localmaker.state.recording import Change
from localmaker.state.store import PieceId


class Parts(Protocol):
    """One kind of part of one service's backends; the backends' own pieces do without them.

    Attributes:
        kind: of its pieces.
        service: as moto names it.
    """

    kind: str
    service: str

    def are_all_of(self, change: Change) -> bool:
        """Whether a request changes of the service nothing but parts."""

    def names(self, backend: Any) -> Iterator[str]:
        """The name of each part that a backend has, in order."""

    def find(self, backend: Any, name: str) -> Any:
        """The state of a part; None where there is none of that name."""

    def restore(self, backend: Any, name: str, state: Any) -> None:
        """Give a backend a part that was stored, after those that come before it."""


def part_name(*names: str) -> str:
    """The name of a part, made of the names that lead to it."""
    return json.dumps(names)


def part_id(kind: str, account: str, region: str, *names: str) -> PieceId:
    """The piece of a part."""
    return PieceId(kind, f"{account}/{region}", part_name(*names))
