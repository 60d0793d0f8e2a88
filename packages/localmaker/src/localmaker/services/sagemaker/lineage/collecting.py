"""The lineage graph of a region, made anew for each request from what is stored of jobs, packages and endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from localmaker.http.operations import RequestContext
from localmaker.services.sagemaker.documents import of_region
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.service import JobService
from localmaker.services.sagemaker.lineage import stored
from localmaker.services.sagemaker.lineage.derived import Deriving
from localmaker.services.sagemaker.lineage.graph import Entity, EntityKind, Graph
from localmaker.services.sagemaker.listing import seconds
from localmaker.services.sagemaker.registry.model_packages import GROUP, PACKAGE
from localmaker.state.changes import only_looking


def arn_prefix(context: RequestContext) -> str:
    """Return what the ARNs of the request's region begin with."""
    return f"arn:aws:sagemaker:{context.region}:{context.account_id}:"


def lineage_of(context: RequestContext) -> Graph:
    """Return the graph of the request's region. What a user has created keeps the user's description."""
    graph = Graph()
    for entity in stored.entities(context):
        graph.add(entity)
    deriving = Deriving(graph, arn_prefix(context))
    for kind in JobKind:
        for described in context.service(JobService).descriptions(kind):
            deriving.job(kind, described)
    groups = {group["ModelPackageGroupName"]: group for group in of_region(GROUP, "ModelPackageGroupArn", context)}
    for package in of_region(PACKAGE, "ModelPackageArn", context):
        deriving.package(package, groups.get(package.get("ModelPackageGroupName")))
    with only_looking():
        backend = sagemaker_backends[context.account_id][context.region]
        for endpoint in list(backend.endpoints.values()):
            deriving.endpoint(_described(endpoint), list(_models(backend, endpoint)))
        for component in list(backend.trial_components.values()):
            graph.add(_component(component))
    for association in stored.associations(context):
        graph.connect(association)
    return graph


def _described(endpoint: Any) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.endpoint_name,
        "EndpointArn": endpoint.arn,
        "CreationTime": endpoint.creation_time,
    }


def _models(backend: Any, endpoint: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the models of an endpoint's variants, as far as they exist."""
    configuration = backend.endpoint_configs.get(endpoint.endpoint_config_name)
    for variant in configuration.production_variants if configuration else ():
        model = backend._models.get(variant.get("ModelName"))  # noqa: SLF001 - no public way
        if model is not None:
            yield {"PrimaryContainer": model.primary_container, "Containers": model.containers}


def _component(component: Any) -> Entity:
    """Return a trial component that a user has created; that of a job is in the graph already."""
    created, modified = seconds(component.creation_time), seconds(component.last_modified_time)
    name = component.trial_component_name
    return Entity(EntityKind.TRIAL_COMPONENT, component.arn, "TrialComponent", created, modified, name)
