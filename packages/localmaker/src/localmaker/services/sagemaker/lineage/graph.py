"""The lineage graph: entities by ARN, associations between them, and how far a query goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class EntityKind(StrEnum):
    """The kind of an entity, as QueryLineage spells it."""

    ARTIFACT = "Artifact"
    ACTION = "Action"
    CONTEXT = "Context"
    TRIAL_COMPONENT = "TrialComponent"


@dataclass(frozen=True)
class Entity:
    """One entity of the graph. Times are seconds since 1970.

    Attributes:
        source: the Source structure of its description.
        stored: a user has created it; the others follow from jobs and packages.
        more: further members of its description; of a job's trial component, the job's description.
    """

    kind: EntityKind
    arn: str
    type: str
    created: float
    modified: float
    name: str | None = None
    source: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    stored: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source_uri(self) -> str | None:
        """What it represents: an object, an image, a package."""
        return self.source.get("SourceUri")


@dataclass(frozen=True)
class Association:
    """One edge of the graph."""

    source: str
    destination: str
    type: str | None
    created: float
    stored: bool = False


class Graph:
    """Entities and associations. Of several descriptions of an entity a user's counts, or else the earliest."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self._associations: dict[tuple[str, str], Association] = {}

    def add(self, entity: Entity) -> None:
        """Add an entity. What a training job has produced is a model, also as the input of a later processing job."""
        known = self.entities.get(entity.arn, entity)
        chosen = known if known.stored or known.created <= entity.created else entity
        first, last = min(known.created, entity.created), max(known.modified, entity.modified)
        self.entities[entity.arn] = replace(chosen, created=first, modified=last)

    def connect(self, association: Association) -> None:
        """Add an association; the first one between two entities stays."""
        self._associations.setdefault((association.source, association.destination), association)

    @property
    def associations(self) -> Iterable[Association]:
        """The associations between entities that exist."""
        return [
            one
            for one in self._associations.values()
            if one.source in self.entities and one.destination in self.entities
        ]

    def of_kind(self, kind: EntityKind) -> Iterator[Entity]:
        """Yield the entities of a kind."""
        return (entity for entity in self.entities.values() if entity.kind is kind)

    def reachable(self, start: str, *, upstream: bool, depth: int) -> set[str]:
        """Return the entities that lead to another one, or that it leads to, itself included."""
        neighbours: dict[str, list[str]] = {}
        for one in self.associations:
            first, second = (one.destination, one.source) if upstream else (one.source, one.destination)
            neighbours.setdefault(first, []).append(second)
        found, border = {start}, {start}
        for _ in range(depth):
            border = {other for arn in border for other in neighbours.get(arn, [])} - found
            found |= border
        return found
