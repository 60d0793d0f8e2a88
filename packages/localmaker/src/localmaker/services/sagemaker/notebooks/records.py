"""What is stored of notebook instances, and which operation is allowed in which state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.documents import now
from localmaker.services.sagemaker.store import ResourceStore

INSTANCE, LIFECYCLE_CONFIG = "notebook-instance", "notebook-instance-lifecycle-config"
#: Why an instance is Failed whose endpoint has ended.
INTERRUPTED = "The local endpoint ended while this instance was running. Its volume is kept: start it again."
#: Members of a document that no response has: the folder of the volume, and whether OnCreate has to run.
FOLDER, IS_NEW = "_folder", "_is_new"


class Status(StrEnum):
    """The states of an instance; AWS's maintenance does not happen here."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    DELETING = "Deleting"
    UPDATING = "Updating"


_AT_REST = (Status.STOPPED, Status.FAILED)
_FROM = {
    Status.PENDING: _AT_REST,
    Status.UPDATING: _AT_REST,
    Status.DELETING: _AT_REST,
    Status.STOPPING: (Status.IN_SERVICE,),
}


def existing_instance(store: ResourceStore, arn: str) -> dict[str, Any]:
    """Return the document of an instance.

    Raises:
        AwsError: there is none.
    """
    document: dict[str, Any] | None = store.get(INSTANCE, arn)
    if document is None:
        raise AwsError("ValidationException", "RecordNotFound")
    return document


def move(
    store: ResourceStore,
    arn: str,
    to: Status,
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document,
    *,
    releases: bool = False,
) -> dict[str, Any]:
    """Bring an instance into a state, as a request asks; return its document.

    Args:
        store: of the documents.
        arn: of the instance.
        to: the state.
        change: returns the changed document; it may refuse.
        releases: it makes room.

    Raises:
        AwsError: there is no such instance, or its state does not allow that.
    """

    def moved() -> dict[str, Any]:
        document = existing_instance(store, arn)
        if document["NotebookInstanceStatus"] not in _FROM[to]:
            raise AwsError(
                "ValidationException",
                f"Status ({document['NotebookInstanceStatus']}) not in ([{', '.join(_FROM[to])}]). "
                f"Unable to transition to ({to}) for Notebook Instance ({arn}).",
            )
        return put(store, change(document), to)

    return store.whole(moved, releases=releases)


def put(store: ResourceStore, document: dict[str, Any], status: Status, reason: str = "") -> dict[str, Any]:
    """Store an instance with a state, and why it is in it; return its document."""
    kept = {key: value for key, value in document.items() if key != "FailureReason"}
    kept |= {"NotebookInstanceStatus": status.value, "LastModifiedTime": now()}
    if reason:
        kept["FailureReason"] = reason[:1024]
    store.put(INSTANCE, kept["NotebookInstanceArn"], kept)
    return kept


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a response has of a document."""
    return {key: value for key, value in document.items() if not key.startswith("_")}


def repositories(document: Mapping[str, Any]) -> list[str]:
    """Return the names or URLs of an instance's repositories, the default one first."""
    default = [document["DefaultCodeRepository"]] if "DefaultCodeRepository" in document else []
    return [*default, *document.get("AdditionalCodeRepositories", [])]
