"""Entities and associations that users have created, as documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from localmaker.http.operations import RequestContext
from localmaker.services.sagemaker.documents import of_region
from localmaker.services.sagemaker.lineage.graph import Association, Entity, EntityKind
from localmaker.services.sagemaker.store import ResourceStore

#: Of the documents of associations, by both ARNs.
ASSOCIATION = "lineage-association"
_ARN = "Arn"
_KINDS = {
    EntityKind.ARTIFACT: "lineage-artifact",
    EntityKind.ACTION: "lineage-action",
    EntityKind.CONTEXT: "lineage-context",
}


def entities(context: RequestContext) -> Iterator[Entity]:
    """Yield the stored entities of the request's region."""
    for kind, stored_as in _KINDS.items():
        for document in of_region(stored_as, _ARN, context):
            yield Entity(
                kind,
                document[_ARN],
                document["Type"],
                document["CreationTime"],
                document["LastModifiedTime"],
                document.get("Name"),
                document["Source"],
                document.get("Properties", {}),
                stored=True,
                more=document["More"],
            )


def put(entity: Entity, context: RequestContext) -> None:
    """Store an entity, or replace the one that is there."""
    document: dict[str, Any] = {
        _ARN: entity.arn,
        "Type": entity.type,
        "CreationTime": entity.created,
        "LastModifiedTime": entity.modified,
        "Name": entity.name,
        "Source": dict(entity.source),
        "Properties": dict(entity.properties),
        "More": dict(entity.more),
    }
    context.service(ResourceStore).put(_KINDS[entity.kind], entity.arn, document)


def remove(entity: Entity, context: RequestContext) -> None:
    """Delete an entity."""
    context.service(ResourceStore).remove(_KINDS[entity.kind], entity.arn)


def associations(context: RequestContext) -> Iterator[Association]:
    """Yield the stored associations of the request's region."""
    for document in of_region(ASSOCIATION, "SourceArn", context):
        yield Association(
            document["SourceArn"],
            document["DestinationArn"],
            document.get("AssociationType"),
            document["CreationTime"],
            stored=True,
        )


def put_association(document: Mapping[str, Any], context: RequestContext) -> None:
    """Store an association, in the terms of ListAssociations."""
    context.service(ResourceStore).put(ASSOCIATION, _key(document), dict(document))


def remove_association(document: Mapping[str, Any], context: RequestContext) -> bool:
    """Delete an association; False where there is none."""
    return context.service(ResourceStore).remove(ASSOCIATION, _key(document))


def _key(document: Mapping[str, Any]) -> str:
    return f"{document['SourceArn']} {document['DestinationArn']}"
