"""Follow what becomes of a group's registered versions: their model cards, and since when one is in use.

Called by a rule on SageMaker's "Model Package State Change". Such events come twice, late, out of order or not at all,
so an event only says that something has changed: what is done follows from the versions as they are now, and is done
for every version whose card is behind.

A version's card is made from the card in its package, waits for review, is approved and archived as the version is. A
version that another client than this project's commands has approved gets the moment as its `in-use-since`; one that
such a client has rejected loses it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.card.following import archive, card_name, card_prefix, follow_version, has_card, version_of, wanted_status
from analysis.runtime.aws import aws_call, patient_client, unless
from analysis.runtime.container import run_step
from analysis.runtime.errors import ModelError, StepError
from analysis.runtime.files import json_text
from analysis.runtime.functions import FunctionArguments, Outputs, as_function, outputs_of
from analysis.runtime.registry import (
    DECIDED_BY,
    IN_USE_SINCE,
    ROLLED_BACK_FROM,
    metadata,
    moment,
    put_in_use,
    scores_new_rows,
)

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

_OF_DECISIONS = (IN_USE_SINCE, DECIDED_BY, ROLLED_BACK_FROM)
_NO_SUCH_VERSION = frozenset({"ValidationException", "ResourceNotFound"})
_ROUNDS = 8


def behind(versions: Mapping[int, str], cards: Mapping[int, str]) -> set[int]:
    """Return the numbers of those whose card has not the status that the version asks for, by approval and status."""
    return {
        number
        for number in versions.keys() | cards.keys()
        if cards.get(number, "") != wanted_status(versions.get(number))
    }


def record(package: Mapping[str, Any]) -> dict[str, Any]:
    """Return what UpdateModelPackage has to change so that a decision of another client is on record; else nothing.

    The project's commands write `in-use-since` with the approval, and remove it with a rejection.
    """
    written, approved = metadata(package), package.get("ModelApprovalStatus") == "Approved"
    if (IN_USE_SINCE in written) == approved or (approved and not scores_new_rows(package)):
        return {}
    # What the earlier decision left is not true of this one.
    stale = [name for name in _OF_DECISIONS if name in written]
    changes: dict[str, Any] = {"CustomerMetadataPropertiesToRemove": stale} if stale else {}
    if approved:
        changes["CustomerMetadataProperties"] = {IN_USE_SINCE: moment(put_in_use(package)[0])}
    return changes


class Group:
    """A model package group whose versions are followed."""

    def __init__(self, sagemaker: SageMakerClient, name: str, tags: Mapping[str, str]) -> None:
        """Take the tags that cards get."""
        self._sagemaker = sagemaker
        self._name = name
        self._tags = tags

    def follow(self, arn: str) -> list[str]:
        """Follow the version that an event is about, and all others whose card is behind; say what was done.

        What can't be done for the others fails nothing: it is printed, and their own events have failed.
        """
        place, _, number = arn.rpartition("/")
        done = self._until_settled(arn)
        for other in sorted(behind(self._approvals(), self._cards()) - {int(number)}):
            try:
                done += self._until_settled(f"{place}/{other}")
            except StepError as error:
                print(f"follow: warning: version {other}: {error}")
        return done

    def _until_settled(self, arn: str) -> list[str]:
        """Follow one version until there is nothing to do: what it is may have changed meanwhile."""
        done: list[str] = []
        for _ in range(_ROUNDS):
            news = self._follow_once(arn)
            if not news:
                return done
            done += news
        raise ModelError(f"{arn} or its card was changed {_ROUNDS} times meanwhile: {'; '.join(done)}.")

    def _follow_once(self, arn: str) -> list[str]:
        version = int(arn.rpartition("/")[2])
        what = f"Looking at the model package {arn}"
        package = unless(what, _NO_SUCH_VERSION, lambda: self._sagemaker.describe_model_package(ModelPackageName=arn))
        if package is None:
            return archive(self._sagemaker, card_name(self._name, version))
        changes = record(package)
        if changes:
            with aws_call(f"Recording what was decided on {arn}"):
                self._sagemaker.update_model_package(ModelPackageArn=arn, **changes)
        news = [f"version {version}: {', '.join(sorted(_names(changes)))} written or removed"] if changes else []
        if not has_card(package):
            return news
        return news + follow_version(self._sagemaker, package, self._tags)

    def _approvals(self) -> dict[int, str]:
        with aws_call(f"Listing the versions of {self._name}"):
            pages = self._sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self._name)
            found = [one for page in pages for one in page["ModelPackageSummaryList"]]
        return {one["ModelPackageVersion"]: one.get("ModelApprovalStatus", "") for one in found}

    def _cards(self) -> dict[int, str]:
        with aws_call(f"Listing the model cards of {self._name}"):
            pages = self._sagemaker.get_paginator("list_model_cards").paginate(
                NameContains=card_prefix(self._name).rstrip("-")
            )
            found = [one for page in pages for one in page["ModelCardSummaries"]]
        named = {version_of(one["ModelCardName"], self._name): one["ModelCardStatus"] for one in found}
        return {number: status for number, status in named.items() if number is not None}


def _names(changes: Mapping[str, Any]) -> set[str]:
    return {name for names in changes.values() for name in names}


def follow_step(arguments: Sequence[str]) -> Outputs:
    """Follow a version, and say what was done."""
    parser = FunctionArguments(__doc__)
    parser.add_argument("--model-package-group-name", required=True, help="group whose versions are followed")
    parser.add_argument("--model-package-arn", required=True, help="version that has changed")
    parser.add_argument("--tag", action="append", default=[], help="NAME=VALUE of a tag of new cards; repeatable")
    request = parser.parse_args(arguments)
    tags = {name: value for name, _, value in (tag.partition("=") for tag in request.tag)}
    sagemaker = patient_client("sagemaker", request.retry_seconds)
    done = Group(sagemaker, request.model_package_group_name, tags).follow(request.model_package_arn)
    for line in done:
        print(f"follow: {line}")
    return outputs_of("; ".join(done) or "nothing to do")


handler = as_function(follow_step)


def main(arguments: Sequence[str]) -> None:
    """Run it as a program: its answer goes to standard output as JSON."""
    print(json_text(dict(follow_step(arguments))), end="")


if __name__ == "__main__":
    run_step(main)
