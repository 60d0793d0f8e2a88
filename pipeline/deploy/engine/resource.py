"""What a resource kind has to offer, and the values that plans are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Protocol, runtime_checkable

from pipeline.aws.clients import Aws
from pipeline.errors import DeploymentError

#: Field name → plain value (text, number, list, mapping). Two states are equal when their values are.
State = Mapping[str, Any]


@dataclass(frozen=True)
class LeftAlone:
    """There is such a thing, it is somebody else's, and nothing will be done to it."""

    reason: str


class Removal(Enum):
    """What came of removing a resource, in words for people. Only one that was removed counts as true."""

    REMOVED = "removed"
    ABSENT = "not there"
    HOLDS_DATA = "kept: it holds data"
    OF_OTHERS = "kept: others made or use it"

    def __bool__(self) -> bool:
        return self is Removal.REMOVED


class Resource(Protocol):
    """One thing in AWS, as it should be.

    Implementations are frozen dataclasses. ``current`` only describes and lists; ``create``, ``update`` and ``delete``
    may be interrupted and repeated at any point.
    """

    @property
    def kind(self) -> str:
        """Kind as shown to people, such as ``bucket``."""

    @property
    def name(self) -> str:
        """Name of this one."""

    def desired(self) -> State:
        """Fields that this project decides on."""

    def current(self, aws: Aws) -> State | LeftAlone | None:
        """The same fields as they are now; None where there is no such thing."""

    def create(self, aws: Aws) -> None:
        """Make it."""

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Change just the fields named."""

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove it; no error where it is gone; with ``keep_data`` only where it holds none."""


@runtime_checkable
class PartlyFixed(Protocol):
    """A resource of which AWS lets something be chosen only when it is made."""

    def refusal(self, differences: Mapping[str, Difference]) -> DeploymentError | None:
        """Why these differences can't be set right in place; None where they can."""


@dataclass(frozen=True)
class Difference:
    """One field, as it is and as it should be."""

    field: str
    current: Any
    desired: Any


class Action(StrEnum):
    """What a plan does with a resource."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    #: A trigger rests while what it starts is not there; a later change of the same plan enables it again.
    PAUSE = "pause"


@dataclass(frozen=True)
class Change:
    """One line of a plan."""

    resource: Resource
    action: Action
    differences: tuple[Difference, ...] = ()
    note: str = ""


def differences(current: State, desired: State) -> tuple[Difference, ...]:
    """Fields whose values are not the same, in the order of ``desired``."""
    return tuple(
        Difference(field, current.get(field), value) for field, value in desired.items() if current.get(field) != value
    )
