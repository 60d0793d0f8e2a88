"""The operations that the local endpoint answers itself; everything else is moto's.

A handler receives the request as botocore's service model describes it (parsed and validated) and returns the
response in the same terms. It raises :class:`localmaker.errors.AwsError` to refuse::

    @operation("sagemaker", "DescribeProcessingJob")
    def describe_processing_job(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        return context.service(JobService).describe(JobKind.PROCESSING, request["ProcessingJobName"])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from localmaker.ports import LocalEndpoint, ServiceT


def _no_moto(_request: dict[str, Any]) -> dict[str, Any]:
    raise LookupError("this request did not come through the gateway, so there is no moto answer to it")


@dataclass(frozen=True)
class RequestContext:
    """The context of a request.

    Attributes:
        account_id: twelve digits.
        region: from the request's credential scope.
        endpoint: the endpoint that serves it.
        ask_moto: returns moto's response to the same operation, for handlers that check first or add to what moto does.
            Request and response are in botocore's terms; moto's refusal is raised as ``AwsError``.
    """

    account_id: str
    region: str
    endpoint: LocalEndpoint
    ask_moto: Callable[[dict[str, Any]], dict[str, Any]] = _no_moto

    def service(self, kind: type[ServiceT]) -> ServiceT:
        """Return the service of a class, of the request's region where each region has its own."""
        return self.endpoint.service(kind, self.region)


Handler = Callable[[dict[str, Any], RequestContext], dict[str, Any]]

_handlers: dict[tuple[str, str], Handler] = {}


def operation(service: str, name: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of an operation.

    Args:
        service: botocore's service name (``sagemaker``, ``sagemaker-featurestore-runtime``, ``s3``).
        name: the operation as the service model spells it (``CreateProcessingJob``).

    Raises:
        ValueError: another function is registered already.
    """

    def register(handler: Handler) -> Handler:
        known = _handlers.get((service, name))
        if known is not None and (known.__module__, known.__qualname__) != (handler.__module__, handler.__qualname__):
            raise ValueError(f"{service}.{name} is answered by {known.__module__}.{known.__qualname__} already")
        _handlers[service, name] = handler
        return handler

    return register


def find_handler(service: str, name: str) -> Handler | None:
    """Return our handler of an operation, or None if moto answers."""
    return _handlers.get((service, name))


def registered_operations() -> Mapping[tuple[str, str], Handler]:
    """Return every operation we answer, by (service, operation); a live read-only view."""
    return MappingProxyType(_handlers)
