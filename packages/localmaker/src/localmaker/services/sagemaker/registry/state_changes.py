"""Changes of model packages and model cards as EventBridge events, in the shapes of the SageMaker developer guide.

An event is stored in the transaction of its change, and published when that has ended: a killed endpoint publishes it
after its next start.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from localmaker.errors import NoRoomError
from localmaker.http.operations import Handler, RequestContext
from localmaker.ports import EventPublisher
from localmaker.services.events.bus import iso_time
from localmaker.services.sagemaker.documents import now
from localmaker.services.sagemaker.listing import only
from localmaker.services.sagemaker.store import ResourceStore

logger = logging.getLogger(__name__)

_KIND = "state-change"
_PACKAGE_FIELDS = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "InferenceSpecification",
    "ModelPackageStatus",
    "ModelPackageStatusDetails",
    "ModelApprovalStatus",
    "MetadataProperties",
    "ModelMetrics",
    "ModelLifeCycle",
)
#: What an update of a package is announced for, and the name that events give it.
ANNOUNCED = {
    "ModelApprovalStatus": "ModelApprovalStatus",
    "ApprovalDescription": "ApprovalDescription",
    "CustomerMetadataProperties": "CustomerMetadataProperties",
    "InferenceSpecification": "InferenceSpecification",
    "ModelLifeCycle": "ModelLifeCycle",
    "SourceUri": "sourceUri",
}


def package_changed(package: Mapping[str, Any], updated: Iterable[str] | None, context: RequestContext) -> None:
    """Announce a new package, or an update of fields that events name.

    Args:
        package: DescribeModelPackage.
        updated: the fields that have changed; None for a new package.
        context: of the request.
    """
    fields = None if updated is None else [name for field, name in ANNOUNCED.items() if field in updated]
    if fields == []:
        return
    detail = {
        **only(package, _PACKAGE_FIELDS),
        "CreationTime": iso_time(package["CreationTime"]),
        "CertifyForMarketplace": package.get("CertifyForMarketplace", False),
        **({} if fields is None else {"UpdatedModelPackageFields": fields}),
        "LastModifiedTime": iso_time(package.get("LastModifiedTime", package["CreationTime"])),
    }
    _note("SageMaker Model Package State Change", package["ModelPackageArn"], detail, context)


def card_changed(card: Mapping[str, Any], context: RequestContext) -> None:
    """Announce a version of a card, or its new status.

    Args:
        card: DescribeModelCard.
        context: of the request.
    """
    detail = {
        **only(card, ("ModelCardName", "ModelCardVersion", "ModelCardStatus", "CreatedBy", "LastModifiedBy")),
        "CreationTime": iso_time(card["CreationTime"]),
        "LastModifiedTime": iso_time(card["LastModifiedTime"]),
        "AccountId": context.account_id,
        "SecurityConfig": card.get("SecurityConfig", {}),
    }
    _note("SageMaker Model Card State Change", card["ModelCardArn"], detail, context)


def _note(detail_type: str, arn: str, detail: dict[str, Any], context: RequestContext) -> None:
    event = {
        "detail-type": detail_type,
        "source": "aws.sagemaker",
        "region": context.region,
        "time": now(),
        "resources": [arn],
        "detail": detail,
    }
    context.service(StateChanges).note(event)


def announcing(handler: Handler) -> Handler:
    """Publish what an operation has announced, when it has ended."""

    @functools.wraps(handler)
    def and_publish(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
        response = handler(request, context)
        context.service(StateChanges).publish()
        return response

    return and_publish


class StateChanges:
    """The events that wait to be published.

    Args:
        resources: stores them.
        events: publishes them.
    """

    def __init__(self, resources: ResourceStore, events: EventPublisher) -> None:
        self._resources = resources
        self._events = events
        self._lock = threading.Lock()

    def note(self, event: dict[str, Any]) -> None:
        """Store an event, in the transaction under way."""
        self._resources.put(_KIND, f"{self._resources.next_number(_KIND):020}", event)

    def publish(self) -> None:
        """Publish the stored events in their order; on a full disk the next call does."""
        with self._lock:
            try:
                for number, event in self._resources.by_arn(_KIND).items():
                    self._events.publish(event)
                    self._resources.remove(_KIND, number)
            except NoRoomError as error:
                logger.warning("events of the registry wait for room: %s", error)
