"""Model cards and their versions.

moto has them, too, but adds a version without content when only the status is updated, and returns the creation time as
the time of the last change.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import arn_of, existing, now, of_region
from localmaker.services.sagemaker.listing import only, order, page, select
from localmaker.services.sagemaker.registry.state_changes import announcing, card_changed
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import forget_tags, whole
from pipedef.document.model_cards import CardKind, card_problems

KIND = "model-card"
#: The status of a card that is not updated any more.
ARCHIVED = "Archived"
#: The kind of an export job's document; its ARN begins with that of its card.
EXPORT_JOB = "model-card-export-job"
_SUMMARY = ("ModelCardName", "ModelCardArn", "ModelCardStatus", "CreationTime", "LastModifiedTime")
_NAMED_PROBLEMS = 10
_METADATA = {
    "model_overview": ("model_id", "model_name"),
    "intended_uses": ("risk_rating",),
    "model_package_details": ("model_package_group_name", "model_package_arn"),
}
_SORTED_BY = {"Name": "ModelCardName", "CreationTime": "CreationTime"}
# The fields of a version; the others are the card's.
_VERSION_FIELDS = ("ModelCardVersion", "Content", "ModelCardStatus", "LastModifiedTime")


@operation("sagemaker", "CreateModelCard")
@announcing
@whole()
def create_card(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a card with its first version."""
    name = request["ModelCardName"]
    arn, moment = arn_of(KIND, name, context), now()
    check_content(request["Content"], CardKind.STAND_ALONE)
    document = {
        "ModelCardName": name,
        "ModelCardArn": arn,
        "CreationTime": moment,
        "CreatedBy": {},
        "LastModifiedBy": {},
        **only(request, ("SecurityConfig",)),
        "Versions": [
            {
                "ModelCardVersion": 1,
                "Content": request["Content"],
                "ModelCardStatus": request["ModelCardStatus"],
                "LastModifiedTime": moment,
            }
        ],
    }
    if not context.service(ResourceStore).add(KIND, arn, document):
        raise AwsError("ConflictException", f"Modelcard {arn} already exists")
    card_changed(_described(document, document["Versions"][-1]), context)
    return {"ModelCardArn": arn}


@operation("sagemaker", "DescribeModelCard")
def describe_card(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a version of a card, by default the newest."""
    description = card_version(request["ModelCardName"], request.get("ModelCardVersion"), context)
    if request.get("IncludedData") == "MetadataOnly":
        return {**description, "Content": metadata_of(description["Content"])}
    return description


def metadata_of(content: str) -> str:
    """Return the content of a card with nothing but what SageMaker does not encrypt."""
    card = json.loads(content)
    found = {section: only(card.get(section, {}), fields) for section, fields in _METADATA.items()}
    return json.dumps({section: kept for section, kept in found.items() if kept})


@operation("sagemaker", "UpdateModelCard")
@announcing
@whole()
def update_card(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add a version with new content, or set the status of the newest version."""
    document = _card(request["ModelCardName"], context)
    if "Content" in request and "ModelCardStatus" in request:
        raise AwsError("ValidationException", "Content and ModelCardStatus can't be updated in the same request.")
    *earlier, newest = document["Versions"]
    if newest["ModelCardStatus"] == ARCHIVED:
        raise AwsError("ValidationException", "Model Card is in Archived state")
    changed = {**newest, **only(request, ("Content", "ModelCardStatus")), "LastModifiedTime": now()}
    if "Content" in request:
        check_content(request["Content"], CardKind.STAND_ALONE)
        earlier.append(newest)
        changed["ModelCardVersion"] += 1
    document["Versions"] = [*earlier, changed]
    context.service(ResourceStore).put(KIND, document["ModelCardArn"], document)
    if (
        changed["ModelCardVersion"] != newest["ModelCardVersion"]
        or changed["ModelCardStatus"] != newest["ModelCardStatus"]
    ):
        card_changed(_described(document, changed), context)
    return {"ModelCardArn": document["ModelCardArn"]}


@operation("sagemaker", "ListModelCards")
def list_cards(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of cards, each with its newest version."""
    newest = [_described(one, one["Versions"][-1]) for one in of_region(KIND, "ModelCardArn", context)]
    found = [one for one in select(newest, request, "ModelCardName") if _has_status(one, request)]
    order(found, request, _SORTED_BY, "CreationTime")
    return page([only(one, _SUMMARY) for one in found], request, "ModelCardSummaries")


@operation("sagemaker", "ListModelCardVersions")
def list_versions(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of a card's versions."""
    document = _card(request["ModelCardName"], context)
    versions = select([_described(document, one) for one in document["Versions"]], request, "ModelCardName")
    found = [one for one in versions if _has_status(one, request)]
    order(found, request, {"Version": "ModelCardVersion"}, "Version")
    summaries = [only(one, (*_SUMMARY, "ModelCardVersion")) for one in found]
    return page(summaries, request, "ModelCardVersionSummaryList")


@operation("sagemaker", "DeleteModelCard")
@whole(releases=True)
def delete_card(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a card, its versions and its export jobs; exported files remain."""
    arn = _card(request["ModelCardName"], context)["ModelCardArn"]
    for job in of_region(EXPORT_JOB, "ModelCardExportJobArn", context):
        if job["ModelCardExportJobArn"].startswith(f"{arn}/"):
            context.service(ResourceStore).remove(EXPORT_JOB, job["ModelCardExportJobArn"])
    context.service(ResourceStore).remove(KIND, arn)
    forget_tags(arn, context)
    return {}


def card_version(name: str, version: int | None, context: RequestContext) -> dict[str, Any]:
    """Return the description of a version; of the newest one if ``version`` is None.

    Raises:
        AwsError: ResourceNotFound.
    """
    document = _card(name, context)
    versions = document["Versions"]
    found = versions[-1] if version is None else next((o for o in versions if o["ModelCardVersion"] == version), None)
    if found is None:
        raise AwsError("ResourceNotFound", f"Modelcard {document['ModelCardArn']} has no version {version}")
    return _described(document, found)


def _described(document: dict[str, Any], version: dict[str, Any]) -> dict[str, Any]:
    card = {key: value for key, value in document.items() if key != "Versions"}
    return {**card, **only(version, _VERSION_FIELDS)}


def _has_status(version: dict[str, Any], request: dict[str, Any]) -> bool:
    return request.get("ModelCardStatus") in (None, version["ModelCardStatus"])


def _card(name: str, context: RequestContext) -> dict[str, Any]:
    arn = arn_of(KIND, name, context)
    return existing(KIND, arn, AwsError("ResourceNotFound", f"Modelcard {arn} does not exist"), context)


def check_content(text: str, kind: CardKind) -> None:
    """Refuse the content of a card that its schema refuses.

    Raises:
        AwsError: ValidationException, which names the first things that are wrong.
    """
    problems = [str(problem) for problem in islice(card_problems(text, kind), _NAMED_PROBLEMS)]
    if problems:
        raise AwsError("ValidationException", f"The model card does not fit its schema. {'; '.join(problems)}")
