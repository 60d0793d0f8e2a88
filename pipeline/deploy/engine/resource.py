"""What a kind of resource offers to the planner, and the values that plans are made of."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, ClassVar

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.tags import TagApi

#: Field name → plain value (text, number, list, mapping). Two states are equal when their values are.
State = Mapping[str, Any]
#: They say whose a resource is.
OWNERSHIP_TAGS = ("project", "environment")


@dataclass(frozen=True)
class ForeignResource:
    """A resource that somebody else made: it is left as it is, and the plan says why."""

    reason: str


class Removal(Enum):
    """What came of removing a resource, in words for people. Only one that was removed counts as true."""

    REMOVED = "removed"
    ABSENT = "not there"
    HOLDS_DATA = "kept: it holds data"
    LOCKED = "kept: Object Lock holds versions in it; all others are removed, destroy again when these expire"
    NOT_OURS = "kept: others created it or use it"

    def __bool__(self) -> bool:
        return self is Removal.REMOVED


@dataclass(frozen=True)
class Difference:
    """One field, as it is and as it should be."""

    field: str
    current: Any
    desired: Any


@dataclass(frozen=True)
class Resource(ABC):
    """One resource in AWS, as it should be.

    Each kind is a frozen dataclass that implements ``create`` and the methods with an underscore. Describing only
    reads; ``create``, ``update`` and ``delete`` may be interrupted and repeated at any point. Tags are handled here,
    by the kind's ``tag_api``.
    """

    #: Kind as shown to people, such as ``bucket``.
    kind: ClassVar[str]
    #: None for a kind that has no tags, or handles them itself.
    tag_api: ClassVar[TagApi | None] = None
    #: Member of what ``_describe`` returns that the tagging calls know it by; None is its name.
    tag_member: ClassVar[str | None] = None

    name: str
    tags: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def is_wanted(self) -> bool:
        """Say whether it is to exist; what is not wanted any more rests after an update, and is removed by destroy."""
        return True

    def desired(self) -> State:
        """Return the fields that this project decides on."""
        return {**self._desired(), "tags": dict(self.tags)} if self.tag_api else self._desired()

    def current(self, aws: Aws) -> State | ForeignResource | None:
        """Return the same fields as they are now; None where there is no such resource."""
        found = unless_missing(lambda: self._describe(aws))
        if found is None:
            return None
        state = self._state(aws, found)
        if self.tag_api is None or isinstance(state, ForeignResource) or "tags" in state:
            return state
        return {**state, "tags": self.tag_api.read(aws, self._tagged_as(found))}

    @abstractmethod
    def create(self, aws: Aws) -> None:
        """Create it with every field."""

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Change just the fields named."""
        tags = differences.get("tags") if self.tag_api else None
        others = {name: difference for name, difference in differences.items() if difference is not tags}
        if others:
            self._update(aws, others)
        if self.tag_api and tags:
            self.tag_api.replace(aws, self._tagged_as(self._describe(aws)), tags.current or {}, self.tags)

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove it; no error where it is gone; with ``keep_data`` only where it holds none."""
        found = unless_missing(lambda: self._describe(aws))
        return Removal.ABSENT if found is None else self._remove(aws, found, keep_data=keep_data)

    def replacement(self, differences: Mapping[str, Difference]) -> str | None:
        """Return why these changes take a new one in its place, and what is lost; None where AWS makes them there."""
        return None

    def replace(self, aws: Aws) -> None:
        """Remove it and create it anew, for a ``replacement`` that somebody has agreed to."""
        raise NotImplementedError

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        """Say whether tags are of something that this environment made."""
        return all(tags.get(name) == self.tags.get(name) for name in OWNERSHIP_TAGS)

    def triggers(self, other: "Resource") -> bool:
        """Say whether it starts the other resource; if so, it can be paused."""
        return False

    def pause(self, aws: Aws) -> None:
        """Keep a trigger from starting anything until the next update of its ``state``."""
        raise NotImplementedError

    def executed_definition(self) -> str | None:
        """Return the compiled definition that it executes, for an estimate of its costs."""
        return None

    def _desired(self) -> State:
        """Return the fields other than tags."""
        return {}

    @abstractmethod
    def _describe(self, aws: Aws) -> Any:
        """Return what AWS says about it; None, or AWS's own error, where there is no such resource."""

    def _state(self, aws: Aws, found: Any) -> State | ForeignResource:
        """Return the fields of ``_desired`` from what ``_describe`` returned."""
        return {}

    def _tagged_as(self, found: Any) -> str:
        """Return what the service's tagging calls know it by."""
        return str(found[self.tag_member]) if self.tag_member else self.name

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Change the fields named, of those other than tags."""
        raise NotImplementedError

    @abstractmethod
    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        """Remove it, given what ``_describe`` returned."""


class Action(StrEnum):
    """What a plan does with a resource."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    #: Removed and created anew, because AWS can't change it in place. What it holds is lost.
    REPLACE = "replace"
    #: A trigger rests while what it starts is missing; a later change of the same plan enables it again.
    PAUSE = "pause"


@dataclass(frozen=True)
class Change:
    """One line of a plan."""

    resource: Resource
    action: Action
    differences: tuple[Difference, ...] = ()
    note: str = ""


def differences(current: State, desired: State) -> tuple[Difference, ...]:
    """Return the fields whose values differ, in the order of ``desired``."""
    return tuple(
        Difference(name, current.get(name), value) for name, value in desired.items() if current.get(name) != value
    )
