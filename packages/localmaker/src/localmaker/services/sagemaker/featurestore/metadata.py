"""Descriptions and parameters of single features."""

from __future__ import annotations

from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import now
from localmaker.services.sagemaker.featurestore.groups import existing_group
from localmaker.services.sagemaker.store import ResourceStore

_KIND = "feature-metadata"
_MAX_PARAMETERS = 25


@operation("sagemaker", "DescribeFeatureMetadata")
def describe_feature_metadata(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a feature, with its description and parameters."""
    return _metadata(request, context)


@operation("sagemaker", "UpdateFeatureMetadata")
def update_feature_metadata(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a feature; add, change and remove parameters."""
    metadata = _metadata(request, context)
    if "Description" in request:
        metadata["Description"] = request["Description"]
    parameters = {one["Key"]: one["Value"] for one in metadata.get("Parameters", [])}
    parameters |= {one["Key"]: one["Value"] for one in request.get("ParameterAdditions", [])}
    removed = set(request.get("ParameterRemovals", []))
    kept = [{"Key": key, "Value": value} for key, value in parameters.items() if key not in removed]
    if len(kept) > _MAX_PARAMETERS:
        raise AwsError("ValidationException", f"A feature has at most {_MAX_PARAMETERS} parameters, not {len(kept)}.")
    changed = {**metadata, "Parameters": kept, "LastModifiedTime": now()}
    context.service(ResourceStore).put(_KIND, _key(metadata), changed)
    return {}


def _metadata(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    group = existing_group(request["FeatureGroupName"], context)
    name = request["FeatureName"]
    feature = next((one for one in group["FeatureDefinitions"] if one["FeatureName"] == name), None)
    if feature is None:
        raise AwsError(
            "ResourceNotFound",
            f"Resource Not Found: Feature {name} does not exist in FeatureGroup {group['FeatureGroupName']}.",
        )
    fresh = {
        "FeatureGroupArn": group["FeatureGroupArn"],
        "FeatureGroupName": group["FeatureGroupName"],
        "FeatureName": name,
        "FeatureType": feature["FeatureType"],
        "CreationTime": group["CreationTime"],
        "LastModifiedTime": group["CreationTime"],
    }
    stored = context.service(ResourceStore).get(_KIND, _key(fresh))
    # The metadata may belong to a deleted group of the same name.
    same = stored is not None and stored["CreationTime"] == fresh["CreationTime"]
    return dict(stored) if same else fresh


def _key(metadata: dict[str, Any]) -> str:
    return f"{metadata['FeatureGroupArn']}/{metadata['FeatureName']}"
