"""The operations on artifacts, actions and contexts. Importing this module registers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import Handler, RequestContext, operation
from localmaker.services.sagemaker.callers import user_context
from localmaker.services.sagemaker.documents import now
from localmaker.services.sagemaker.lineage import stored
from localmaker.services.sagemaker.lineage.collecting import arn_prefix, lineage_of
from localmaker.services.sagemaker.lineage.derived import arn_of, artifact_arn
from localmaker.services.sagemaker.lineage.graph import Entity, EntityKind, Graph
from localmaker.services.sagemaker.listing import created_between, page
from localmaker.services.sagemaker.tags import forget_tags, whole

_MORE = ("Description", "Status", "MetadataProperties")


@dataclass(frozen=True)
class _Spelling:
    """How the operations on a kind are spelled: ``CreateArtifact`` has ``ArtifactName``, ``ArtifactType`` and so on."""

    kind: EntityKind

    @property
    def arn(self) -> str:
        return f"{self.kind}Arn"

    @property
    def name(self) -> str:
        return f"{self.kind}Name"

    @property
    def type(self) -> str:
        return f"{self.kind}Type"

    @property
    def key(self) -> str:
        """The member that names an entity in requests. Artifacts need no name."""
        return self.arn if self.kind is EntityKind.ARTIFACT else self.name

    def described(self, entity: Entity) -> dict[str, Any]:
        """Return the Describe response."""
        response = {
            **self.summary(entity),
            "Properties": dict(entity.properties),
            **{member: entity.more[member] for member in (*_MORE, "CreatedBy") if member in entity.more},
        }
        return {member: value for member, value in response.items() if value is not None}

    def summary(self, entity: Entity) -> dict[str, Any]:
        """Return an entry of the List response."""
        response = {
            self.arn: entity.arn,
            self.name: entity.name,
            "Source": dict(entity.source),
            self.type: entity.type,
            "CreationTime": entity.created,
            "LastModifiedTime": entity.modified,
        }
        if self.kind is EntityKind.ACTION:
            response["Status"] = entity.more.get("Status")
        return {member: value for member, value in response.items() if value is not None}

    def find(self, graph: Graph, named: str, context: RequestContext) -> Entity:
        """Return an entity by its name or ARN.

        Raises:
            AwsError: ResourceNotFound.
        """
        arn = named if named.startswith("arn:") else arn_of(arn_prefix(context), self.kind, named)
        entity = graph.entities.get(arn)
        if entity is None or entity.kind is not self.kind:
            raise AwsError("ResourceNotFound", f"{self.kind} '{arn}' does not exist.")
        return entity

    def own(self, graph: Graph, named: str, context: RequestContext) -> Entity:
        """Return an entity that a user has created.

        Raises:
            AwsError: ResourceNotFound; ValidationException for one that follows from a job, a package or an endpoint.
        """
        entity = self.find(graph, named, context)
        if not entity.stored:
            raise AwsError(
                "ValidationException",
                f"{entity.arn} follows from what the local endpoint stores of {entity.source_uri}; by itself it is not "
                "changed or deleted here.",
            )
        return entity


def create(spelling: _Spelling, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create an entity. There is one artifact of a source, whoever comes first."""
    kind, source, prefix = spelling.kind, request["Source"], arn_prefix(context)
    if kind is EntityKind.ARTIFACT:
        arn = artifact_arn(prefix, source["SourceUri"], source.get("SourceTypes", []))
    else:
        arn = arn_of(prefix, kind, request[spelling.name])
    known = lineage_of(context).entities.get(arn)
    if known is not None and kind is not EntityKind.ARTIFACT:
        raise AwsError("ValidationException", f"{kind} names must be unique: '{arn}' already exists.")
    if known is None or not known.stored:
        moment, name = now(), request.get(spelling.name)
        more = {member: request[member] for member in _MORE if member in request} | {"CreatedBy": user_context()}
        properties = request.get("Properties", {})
        stored.put(
            Entity(kind, arn, request[spelling.type], moment, moment, name, source, properties, more=more), context
        )
    return {spelling.arn: arn}


def describe(spelling: _Spelling, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe an entity."""
    return spelling.described(spelling.find(lineage_of(context), request[spelling.key], context))


def update(spelling: _Spelling, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change an entity that a user has created."""
    entity = spelling.own(lineage_of(context), request[spelling.key], context)
    removed = request.get("PropertiesToRemove", [])
    properties = {**entity.properties, **request.get("Properties", {})}
    changed = replace(
        entity,
        modified=now(),
        # The name of an action or a context is its identity.
        name=request.get(spelling.name, entity.name),
        properties={name: value for name, value in properties.items() if name not in removed},
        more={**entity.more, **{member: request[member] for member in _MORE if member in request}},
    )
    stored.put(changed, context)
    return {spelling.arn: entity.arn}


def delete(spelling: _Spelling, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete an entity that a user has created, and that has no associations of users any more."""
    graph = lineage_of(context)
    entity = spelling.own(graph, _named(request, spelling, context), context)
    for one in graph.associations:
        if one.stored and entity.arn in (one.source, one.destination):
            raise AwsError(
                "ValidationException",
                f"{entity.arn} is associated: {one.source} with {one.destination}. Use DeleteAssociation first.",
            )
    stored.remove(entity, context)
    forget_tags(entity.arn, context)
    return {spelling.arn: entity.arn}


def list_entities(spelling: _Spelling, request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List entities by the request's filters, order and pages."""
    found = [
        one
        for one in created_between(lineage_of(context).of_kind(spelling.kind), request)
        if request.get("SourceUri") in (None, one.source_uri) and request.get(spelling.type) in (None, one.type)
    ]
    by_name = request.get("SortBy") == "Name"
    found.sort(key=lambda one: ((one.name or "") if by_name else "", one.created, one.arn))
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return page(found, request, f"{spelling.kind}Summaries", spelling.summary)


def _named(request: Mapping[str, Any], spelling: _Spelling, context: RequestContext) -> str:
    """Return the name or ARN of the entity that a Delete request means: an artifact may be given by its source."""
    if spelling.key in request:
        named: str = request[spelling.key]
        return named
    source = request.get("Source")
    if source is None:
        raise AwsError("ValidationException", f"Give {spelling.arn} or Source.")
    return artifact_arn(arn_prefix(context), source["SourceUri"], source.get("SourceTypes", []))


_Function = Callable[[_Spelling, dict[str, Any], RequestContext], dict[str, Any]]


def _of(kind: EntityKind, function: _Function) -> Handler:
    return lambda request, context: function(_Spelling(kind), request, context)


for _kind in (EntityKind.ARTIFACT, EntityKind.ACTION, EntityKind.CONTEXT):
    operation("sagemaker", f"Create{_kind}")(whole()(_of(_kind, create)))
    operation("sagemaker", f"Describe{_kind}")(_of(_kind, describe))
    operation("sagemaker", f"Update{_kind}")(whole()(_of(_kind, update)))
    operation("sagemaker", f"Delete{_kind}")(whole(releases=True)(_of(_kind, delete)))
    operation("sagemaker", f"List{_kind}s")(_of(_kind, list_entities))
