"""The operations on associations, and QueryLineage. Importing this module registers them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import now
from localmaker.services.sagemaker.lineage import stored
from localmaker.services.sagemaker.lineage.collecting import lineage_of
from localmaker.services.sagemaker.lineage.graph import Association, Entity, Graph
from localmaker.services.sagemaker.listing import created_between, page, seconds

_DEEPEST = 10
_VERTICES = 50


@operation("sagemaker", "AddAssociation")
def add(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Associate two entities; an association of jobs or packages stays as it is."""
    graph = lineage_of(context)
    named = {member: _existing(graph, request[member]).arn for member in ("SourceArn", "DestinationArn")}
    stored.put_association({**request, "CreationTime": now()}, context)
    return named


@operation("sagemaker", "DeleteAssociation")
def delete(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete an association that a user has added."""
    named = {member: request[member] for member in ("SourceArn", "DestinationArn")}
    if not stored.remove_association(named, context):
        found = [one for one in lineage_of(context).associations if [one.source, one.destination] == [*named.values()]]
        if found:
            raise AwsError(
                "ValidationException",
                "This association follows from a job, a package or an endpoint; it is not deleted by itself here.",
            )
        raise AwsError(
            "ResourceNotFound", f"There is no association from {named['SourceArn']} to {named['DestinationArn']}."
        )
    return named


@operation("sagemaker", "ListAssociations")
def list_associations(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List associations by the request's filters, order and pages."""
    graph = lineage_of(context)
    summaries = [_summary(one, graph) for one in created_between(graph.associations, request)]
    filters = ("SourceArn", "DestinationArn", "SourceType", "DestinationType", "AssociationType")
    found = [one for one in summaries if all(request.get(member) in (None, one.get(member)) for member in filters)]
    by = request.get("SortBy", "CreationTime")
    found.sort(key=lambda one: (one[by], one["CreationTime"], one["SourceArn"], one["DestinationArn"]))
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return page(found, request, "AssociationSummaries")


def _summary(one: Association, graph: Graph) -> dict[str, Any]:
    source, destination = graph.entities[one.source], graph.entities[one.destination]
    response = {
        "SourceArn": one.source,
        "DestinationArn": one.destination,
        "SourceType": source.type,
        "DestinationType": destination.type,
        "AssociationType": one.type,
        "SourceName": source.name,
        "DestinationName": destination.name,
        "CreationTime": one.created,
    }
    return {member: value for member, value in response.items() if value is not None}


@operation("sagemaker", "QueryLineage")
def query(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return what leads to an entity, or what it leads to; without one, every entity that the filters let through."""
    graph = lineage_of(context)
    directions = {"Ascendants": (True,), "Descendants": (False,)}.get(request.get("Direction", "Both"), (True, False))
    depth = request.get("MaxDepth", _DEEPEST)
    reached = set(graph.entities) if not request.get("StartArns") else set()
    for arn in request.get("StartArns", []):
        for upstream in directions:
            reached |= graph.reachable(_existing(graph, arn).arn, upstream=upstream, depth=depth)
    filters = request.get("Filters", {})
    found = [one for arn, one in graph.entities.items() if arn in reached and _passes(one, filters)]
    response = page(found, request, "Vertices", _vertex, size=_VERTICES)
    # The SDK reads the edges also where it did not ask for them.
    edges = graph.associations if request.get("IncludeEdges", True) else ()
    response["Edges"] = [_edge(one) for one in edges if one.source in reached and one.destination in reached]
    return response


def _passes(entity: Entity, filters: Mapping[str, Any]) -> bool:
    if filters.get("Types") and entity.type not in filters["Types"]:
        return False
    if filters.get("LineageTypes") and entity.kind not in filters["LineageTypes"]:
        return False
    if any(entity.properties.get(name) != value for name, value in filters.get("Properties", {}).items()):
        return False
    for prefix, moment in (("Created", entity.created), ("Modified", entity.modified)):
        after, before = filters.get(f"{prefix}After"), filters.get(f"{prefix}Before")
        if (after is not None and moment <= seconds(after)) or (before is not None and moment >= seconds(before)):
            return False
    return True


def _vertex(entity: Entity) -> dict[str, str]:
    return {"Arn": entity.arn, "Type": entity.type, "LineageType": entity.kind.value}


def _edge(one: Association) -> dict[str, str]:
    edge = {"SourceArn": one.source, "DestinationArn": one.destination}
    return edge if one.type is None else {**edge, "AssociationType": one.type}


def _existing(graph: Graph, arn: str) -> Entity:
    """Return an entity of the graph.

    Raises:
        AwsError: ResourceNotFound.
    """
    if arn not in graph.entities:
        raise AwsError("ResourceNotFound", f"Lineage entity '{arn}' does not exist.")
    return graph.entities[arn]
