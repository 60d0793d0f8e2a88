"""The stand-alone model card of a registered version, and how it follows what becomes of the version.

A package carries a card that SageMaker does not export, in a schema of its own. So each version has a card beside it:
`Draft` while it is made, `PendingReview` and `Approved` as the version is, `Archived` once that is rejected or deleted.

Needs the standard library and boto3 only: a Lambda function uses it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.card.stand_alone import stand_alone
from analysis.card.texts import card_text
from analysis.runtime.aws import unless
from analysis.runtime.errors import AwsCallError, ModelError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

DRAFT, PENDING, APPROVED, ARCHIVED = "Draft", "PendingReview", "Approved", "Archived"
_ON_THE_WAY = (DRAFT, PENDING, APPROVED)
_STATUSES = {"PendingManualApproval": PENDING, "Approved": APPROVED, "Rejected": ARCHIVED}
_LONGEST_NAME, _LONGEST_ENDING = 63, 9
_MISSING, _CONFLICT = frozenset({"ResourceNotFound"}), frozenset({"ConflictException"})
_DELETION_SECONDS, _PAUSE_SECONDS = 120.0, 0.5


def card_name(group: str, version: int) -> str:
    """Return the name of a version's card, such as ``prices-regression-3``; a long name of a group is cut."""
    ending = f"-{version}"
    return group[: _LONGEST_NAME - len(ending)] + ending


def card_prefix(group: str) -> str:
    """Return what the names of the cards of a group's versions begin with; those of another group may, too."""
    return f"{group}-"[: _LONGEST_NAME - _LONGEST_ENDING]


def version_of(name: str, group: str) -> int | None:
    """Return the number of the version that a card is of; None for a card of anything else."""
    number = name.rpartition("-")[2]
    return int(number) if number.isdecimal() and name == card_name(group, int(number)) else None


def wanted_status(approval: str | None) -> str:
    """Return the status of the card of a version with this approval; None stands for a version that is gone."""
    return _STATUSES.get(approval or "", ARCHIVED)


def steps_to(present: str, wanted: str) -> Sequence[str]:
    """Return the statuses that a card gets one after the other; on the way to `Approved` none is left out."""
    if present == wanted:
        return ()
    if wanted == ARCHIVED:
        return (ARCHIVED,)
    return _ON_THE_WAY[_ON_THE_WAY.index(present) + 1 : _ON_THE_WAY.index(wanted) + 1] or (wanted,)


def has_card(package: Mapping[str, Any]) -> bool:
    """Say whether a package carries a card; one that another client has registered may have none."""
    return bool(package.get("ModelCard", {}).get("ModelCardContent"))


def content_of(package: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a package's stand-alone card; raise ModelError where the package's own can't be read."""
    try:
        own = json.loads(package["ModelCard"]["ModelCardContent"])
        return stand_alone(own, package)
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"The card in {package['ModelPackageArn']} can't be read: {error}.") from error


def follow_version(sagemaker: SageMakerClient, package: Mapping[str, Any], tags: Mapping[str, str]) -> list[str]:
    """Bring the card of a package's version to what the package says; return what was done, in words.

    SageMaker takes content and status only one after the other, and updates no archived card: the card of a version
    that is back is made anew. Where anything was done, call it again: somebody else may do the same at this moment.
    tags: those of new cards.
    """
    name = card_name(package["ModelPackageGroupName"], package["ModelPackageVersion"])
    content, wanted = content_of(package), wanted_status(package.get("ModelApprovalStatus"))
    done: list[str] = []
    card = _card(sagemaker, name)
    if card is not None and card["ModelCardStatus"] == ARCHIVED:
        if wanted == ARCHIVED:
            return []
        done += _deleted(sagemaker, name)
        card = None
    if card is None:
        done += _created(sagemaker, name, content, tags)
        status = DRAFT
    else:
        status = card["ModelCardStatus"]
        if json.loads(card["Content"]) != content:
            if not _updated(sagemaker, name, "content", Content=card_text(content)):
                return [*done, _changed(name)]
            done.append(f"{name} has new content")
    return done + _set_status(sagemaker, name, steps_to(status, wanted))


def archive(sagemaker: SageMakerClient, name: str) -> list[str]:
    """Archive the card of a version that is gone, if there is one; return what was done, in words."""
    card = _card(sagemaker, name)
    return [] if card is None or card["ModelCardStatus"] == ARCHIVED else _set_status(sagemaker, name, [ARCHIVED])


def _card(sagemaker: SageMakerClient, name: str) -> Mapping[str, Any] | None:
    return unless(f"Reading the model card {name}", _MISSING, lambda: sagemaker.describe_model_card(ModelCardName=name))


def _created(sagemaker: SageMakerClient, name: str, content: dict[str, Any], tags: Mapping[str, str]) -> list[str]:
    pairs: Any = [{"Key": key, "Value": value} for key, value in tags.items()]

    def create() -> Any:
        return sagemaker.create_model_card(
            ModelCardName=name, Content=card_text(content), ModelCardStatus="Draft", Tags=pairs
        )

    # An event that came twice may have made it at the same moment.
    return [f"{name} is {DRAFT}"] if unless(f"Creating the model card {name}", _CONFLICT, create) else []


def _deleted(sagemaker: SageMakerClient, name: str) -> list[str]:
    """Delete a card and wait until its name is free: AWS deletes content and export jobs one after the other."""
    unless(
        f"Deleting the model card {name}", _MISSING | _CONFLICT, lambda: sagemaker.delete_model_card(ModelCardName=name)
    )
    deadline = time.monotonic() + _DELETION_SECONDS
    while (card := _card(sagemaker, name)) is not None and card["ModelCardStatus"] == ARCHIVED:
        if time.monotonic() > deadline:
            state = card.get("ModelCardProcessingStatus", "there")
            raise AwsCallError(f"The model card {name} is still {state}, {_DELETION_SECONDS:.0f} s after its deletion.")
        time.sleep(_PAUSE_SECONDS)
    return [f"{name} was archived, and is made anew"]


def _set_status(sagemaker: SageMakerClient, name: str, statuses: Sequence[str]) -> list[str]:
    """Give a card one status after the other, as long as nobody else changes it; return what was done, in words."""
    done: list[str] = []
    for status in statuses:
        if not _updated(sagemaker, name, status, ModelCardStatus=status):
            return [*done, _changed(name)]
        done.append(f"{name} is {status}")
    return done


def _updated(sagemaker: SageMakerClient, name: str, what: str, **changes: Any) -> bool:
    """Update a card; say whether it was there and free: another event of the same version may just make it anew."""

    def update() -> Any:
        return sagemaker.update_model_card(ModelCardName=name, **changes)

    return unless(f"Setting the model card {name} to {what}", _MISSING | _CONFLICT, update) is not None


def _changed(name: str) -> str:
    """Say that a card has to be looked at again; as with all that was done, the caller then does so."""
    return f"{name} was changed meanwhile"
