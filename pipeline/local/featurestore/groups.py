"""The operations on feature groups themselves.

moto keeps feature groups too, but loses the online store's configuration, refuses a group without an offline store,
and deletes none.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pipeline.local.errors import AwsError
from pipeline.local.operations import RequestContext, operation
from pipeline.local.sagemaker.listing import page, select
from pipeline.local.sagemaker.tags import forget_tags

_IDENTIFIER_TYPES = ("String", "Integral")
_EVENT_TIME_TYPES = ("String", "Fractional")
_RESERVED = {"is_deleted", "write_time", "api_invocation_time"}
_LIST = "FeatureGroupSummaries"
# AWS takes seconds; long enough that who does not wait for it finds out.
_CREATION_SECONDS = 0.2
_SUMMARY = ("FeatureGroupName", "FeatureGroupArn", "CreationTime", "FeatureGroupStatus", "OfflineStoreStatus")
_SORT_KEYS = {
    "Name": "FeatureGroupName",
    "FeatureGroupStatus": "FeatureGroupStatus",
    "OfflineStoreStatus": "FeatureGroupName",
    "CreationTime": "CreationTime",
}


def group_arn(name_or_arn: str, context: RequestContext) -> str:
    """The ARN of a feature group in the request's region; names count without case, as in AWS."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:aws:sagemaker:{context.region}:{context.account_id}:feature-group/{name_or_arn.lower()}"


@operation("sagemaker", "CreateFeatureGroup")
def create_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Keep a feature group with all of its configuration."""
    name = request["FeatureGroupName"]
    _check_definition(request)
    arn = group_arn(name, context)
    now = datetime.now(UTC)
    description = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "FeatureGroupArn": arn,
        "CreationTime": now.timestamp(),
        "LastModifiedTime": now.timestamp(),
        "FeatureGroupStatus": "Creating",
        "ThroughputConfig": request.get("ThroughputConfig") or {"ThroughputMode": "OnDemand"},
    }
    if (request.get("OnlineStoreConfig") or {}).get("EnableOnlineStore"):
        description["OnlineStoreConfig"] = {"StorageType": "Standard", **request["OnlineStoreConfig"]}
    if "OfflineStoreConfig" in request:
        description["OfflineStoreConfig"] = _resolved_offline_store(name, request["OfflineStoreConfig"], now, context)
        description["OfflineStoreStatus"] = {"Status": "Active"}
    if not context.endpoint.feature_store.add_group(arn, description):
        raise AwsError(
            "ResourceInUse",
            f"Resource Already Exists: FeatureGroup with name {name} already exists. Choose a different name.",
        )
    return {"FeatureGroupArn": arn}


def _check_definition(request: dict[str, Any]) -> None:
    types = {one["FeatureName"]: one["FeatureType"] for one in request["FeatureDefinitions"]}
    if len(types) != len(request["FeatureDefinitions"]):
        raise _invalid("FeatureDefinitions contain duplicate feature names")
    for field, allowed in (
        ("RecordIdentifierFeatureName", _IDENTIFIER_TYPES),
        ("EventTimeFeatureName", _EVENT_TIME_TYPES),
    ):
        feature = request[field]
        if feature not in types:
            raise _invalid(f"{field} [{feature}] is not in FeatureDefinitions")
        if types[feature] not in allowed:
            raise _invalid(f"{field} [{feature}] must be of type {' or '.join(allowed)}, not {types[feature]}")
    reserved = sorted(_RESERVED & types.keys())
    if reserved:
        raise _invalid(f"Feature names {reserved} are reserved")
    if not (request.get("OnlineStoreConfig") or {}).get("EnableOnlineStore") and "OfflineStoreConfig" not in request:
        raise _invalid("At least one of OnlineStoreConfig and OfflineStoreConfig must be enabled")


def _resolved_offline_store(
    name: str, config: dict[str, Any], now: datetime, context: RequestContext
) -> dict[str, Any]:
    stamp = int(now.timestamp())
    storage = config["S3StorageConfig"]
    prefix = f"{context.account_id}/sagemaker/{context.region}/offline-store/{name}-{stamp}/data"
    resolved = {
        **config,
        "S3StorageConfig": {**storage, "ResolvedOutputS3Uri": f"{storage['S3Uri'].rstrip('/')}/{prefix}"},
    }
    if not config.get("DisableGlueTableCreation"):
        resolved.setdefault(
            "DataCatalogConfig",
            {
                "TableName": f"{name.lower().replace('-', '_')}_{stamp}",
                "Catalog": "AwsDataCatalog",
                "Database": "sagemaker_featurestore",
            },
        )
    return resolved


def with_status(description: dict[str, Any], now: float) -> dict[str, Any]:
    """A group as it is by now: made, a moment after it was asked for."""
    if description["FeatureGroupStatus"] == "Creating" and now - description["CreationTime"] >= _CREATION_SECONDS:
        return {**description, "FeatureGroupStatus": "Created"}
    return description


@operation("sagemaker", "DescribeFeatureGroup")
def describe_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """A feature group with its configuration."""
    return {**_existing(request["FeatureGroupName"], context), "NextToken": ""}


@operation("sagemaker", "UpdateFeatureGroup")
def update_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add features; change the online store's time to live, or the throughput."""
    description = _existing(request["FeatureGroupName"], context)
    additions = request.get("FeatureAdditions") or []
    known = {one["FeatureName"] for one in description["FeatureDefinitions"]}
    for addition in additions:
        if addition["FeatureName"] in known:
            raise _invalid(f"Feature [{addition['FeatureName']}] exists already")
    description["FeatureDefinitions"] = description["FeatureDefinitions"] + additions
    if "TtlDuration" in (request.get("OnlineStoreConfig") or {}):
        if "OnlineStoreConfig" not in description:
            raise _invalid("the feature group has no online store")
        description["OnlineStoreConfig"]["TtlDuration"] = request["OnlineStoreConfig"]["TtlDuration"]
    if "ThroughputConfig" in request:
        description["ThroughputConfig"] = request["ThroughputConfig"]
    description["LastModifiedTime"] = datetime.now(UTC).timestamp()
    description["LastUpdateStatus"] = {"Status": "Successful"}
    context.endpoint.feature_store.replace_group(description["FeatureGroupArn"], description)
    return {"FeatureGroupArn": description["FeatureGroupArn"]}


@operation("sagemaker", "DeleteFeatureGroup")
def delete_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Remove a feature group and its online records; what lies in the offline store stays, as in AWS."""
    description = _existing(request["FeatureGroupName"], context)
    context.endpoint.feature_store.delete_group(description["FeatureGroupArn"])
    forget_tags(description["FeatureGroupArn"], context.endpoint)
    return {}


@operation("sagemaker", "ListFeatureGroups")
def list_feature_groups(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """A page of feature groups, newest first unless asked otherwise."""
    marker = f":{context.region}:{context.account_id}:feature-group/"
    now = datetime.now(UTC).timestamp()
    groups = context.endpoint.feature_store.groups()
    found = [with_status(one, now) for one in groups if marker in one["FeatureGroupArn"]]
    found = select([one for one in found if _has_status(one, request)], request, "FeatureGroupName")
    sort_key = _SORT_KEYS[request.get("SortBy", "CreationTime")]
    found.sort(key=lambda one: (one[sort_key], one["FeatureGroupName"]))
    if request.get("SortOrder", "Descending") == "Descending":
        found.reverse()
    return page([{name: one[name] for name in _SUMMARY if name in one} for one in found], request, _LIST)


def _has_status(description: dict[str, Any], request: dict[str, Any]) -> bool:
    offline = (description.get("OfflineStoreStatus") or {}).get("Status")
    return request.get("FeatureGroupStatusEquals") in (None, description["FeatureGroupStatus"]) and request.get(
        "OfflineStoreStatusEquals"
    ) in (None, offline)


def _existing(name: str, context: RequestContext) -> dict[str, Any]:
    description = context.endpoint.feature_store.group(group_arn(name, context))
    if description is None:
        raise AwsError("ResourceNotFound", f"Resource Not Found: FeatureGroup with name {name} does not exist.")
    return with_status(description, datetime.now(UTC).timestamp())


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", f"Validation Error: {message}")
