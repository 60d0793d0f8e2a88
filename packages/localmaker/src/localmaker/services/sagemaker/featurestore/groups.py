"""The operations on feature groups themselves.

moto has feature groups, too, but drops the online store's configuration, refuses a group without an offline store, and
cannot delete one.
"""

from __future__ import annotations

import sqlite3
from itertools import count
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import now
from localmaker.services.sagemaker.featurestore.catalog import (
    DATABASE,
    create_table,
    drop_table,
    is_table,
    update_table,
)
from localmaker.services.sagemaker.featurestore.offline import OfflineWriter
from localmaker.services.sagemaker.featurestore.store import FeatureStore
from localmaker.services.sagemaker.listing import only, order, page, select
from localmaker.services.sagemaker.tags import forget_tags, remember_tags

_IDENTIFIER_TYPES = ("String", "Integral")
_EVENT_TIME_TYPES = ("String", "Fractional")
_RESERVED = {"is_deleted", "write_time", "api_invocation_time"}
_LIST = "FeatureGroupSummaries"
# AWS takes seconds; this is long enough to reveal a client that does not wait.
_CHANGE_SECONDS = 0.2
#: The time at which a group became Deleting; not part of its description.
_DELETED = "DeletedAt"
_SUMMARY = ("FeatureGroupName", "FeatureGroupArn", "CreationTime", "FeatureGroupStatus", "OfflineStoreStatus")
_SORTED_BY = {
    "Name": "FeatureGroupName",
    "FeatureGroupStatus": "FeatureGroupStatus",
    "OfflineStoreStatus": "FeatureGroupName",
    "CreationTime": "CreationTime",
}


def group_arn(name_or_arn: str, context: RequestContext) -> str:
    """Return the ARN of a feature group in the request's region; as in AWS, names ignore case."""
    if name_or_arn.startswith("arn:"):
        return name_or_arn
    return f"arn:aws:sagemaker:{context.region}:{context.account_id}:feature-group/{name_or_arn.lower()}"


@operation("sagemaker", "CreateFeatureGroup")
def create_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a feature group with all of its configuration."""
    name = request["FeatureGroupName"]
    _check_definition(request)
    arn = group_arn(name, context)
    moment = now()
    description = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "FeatureGroupArn": arn,
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "FeatureGroupStatus": "Creating",
        "ThroughputConfig": request.get("ThroughputConfig") or {"ThroughputMode": "OnDemand"},
    }
    if (request.get("OnlineStoreConfig") or {}).get("EnableOnlineStore"):
        description["OnlineStoreConfig"] = {"StorageType": "Standard", **request["OnlineStoreConfig"]}
    if "OfflineStoreConfig" in request:
        description["OfflineStoreConfig"] = _resolved_offline_store(
            name, request["OfflineStoreConfig"], moment, context
        )
        description["OfflineStoreStatus"] = {"Status": "Active"}
    in_use = AwsError(
        "ResourceInUse",
        f"Resource Already Exists: FeatureGroup with name {name} already exists. Choose a different name.\n"
        f"Info: Feature Group '{name}' already exists.",
    )
    if _current(arn, context) is not None:
        raise in_use
    # First, so that a group never exists without it.
    create_table(description, context.endpoint)
    try:
        remember_tags(arn, request, context)
        if not context.service(FeatureStore).add_group(arn, description):
            raise in_use
    except (OSError, sqlite3.Error):  # as on a full disk: they are stored apart, so the first is undone
        drop_table(description, context.endpoint)
        forget_tags(arn, context)
        raise
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
    name: str, config: dict[str, Any], moment: float, context: RequestContext
) -> dict[str, Any]:
    table = name.lower().replace("-", "_")
    # A group takes AWS longer than a second to remove, and the next of its name has another second in its table's.
    stamp = next(
        second for second in count(int(moment)) if not is_table(f"{table}_{second}", context.region, context.endpoint)
    )
    storage = config["S3StorageConfig"]
    if "DataCatalogConfig" in config and not config.get("DisableGlueTableCreation"):
        raise _invalid(
            "DataCatalogConfig is not permitted in the request unless AutoCreateGlueTable is turned off. Please either "
            "set AutoCreateGlueTable to false or remove DataCatalogConfig from the request."
        )
    prefix = f"{context.account_id}/sagemaker/{context.region}/offline-store/{name}-{stamp}/data"
    resolved = {
        **config,
        "S3StorageConfig": {**storage, "ResolvedOutputS3Uri": f"{storage['S3Uri'].rstrip('/')}/{prefix}"},
    }
    if not config.get("DisableGlueTableCreation"):
        resolved["DataCatalogConfig"] = {
            "TableName": f"{table}_{stamp}",
            "Catalog": "AwsDataCatalog",
            "Database": DATABASE,
        }
    return resolved


def with_status(description: dict[str, Any], moment: float) -> dict[str, Any] | None:
    """Return a group as it is at a moment; None once it is deleted. Changes take a little time, as in AWS.

    Args:
        description: as stored.
        moment: seconds since 1970.
    """
    found = {key: value for key, value in description.items() if key != _DELETED}
    if _DELETED in description:
        return found if moment - description[_DELETED] < _CHANGE_SECONDS else None
    if description["FeatureGroupStatus"] == "Creating" and moment - description["CreationTime"] >= _CHANGE_SECONDS:
        found["FeatureGroupStatus"] = "Created"
    updating = description.get("LastUpdateStatus", {}).get("Status") == "InProgress"
    if updating and moment - description["LastModifiedTime"] >= _CHANGE_SECONDS:
        found["LastUpdateStatus"] = {"Status": "Successful"}
    return found


@operation("sagemaker", "DescribeFeatureGroup")
def describe_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a feature group."""
    return {**existing_group(request["FeatureGroupName"], context), "NextToken": ""}


@operation("sagemaker", "UpdateFeatureGroup")
def update_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add features; change the online store's time to live, or the throughput."""
    description = _settled(request["FeatureGroupName"], context)
    changes: dict[str, Any] = {}
    additions = request.get("FeatureAdditions") or []
    known = {one["FeatureName"] for one in description["FeatureDefinitions"]}
    for addition in additions:
        if addition["FeatureName"] in known:
            raise _invalid(f"Feature [{addition['FeatureName']}] already exists")
    if additions:
        changes["FeatureDefinitions"] = description["FeatureDefinitions"] + additions
    if "TtlDuration" in (request.get("OnlineStoreConfig") or {}):
        if "OnlineStoreConfig" not in description:
            raise _invalid("the feature group has no online store")
        ttl = request["OnlineStoreConfig"]["TtlDuration"]
        changes["OnlineStoreConfig"] = {**description["OnlineStoreConfig"], "TtlDuration": ttl}
    if "ThroughputConfig" in request:
        changes["ThroughputConfig"] = request["ThroughputConfig"]
    changes["LastModifiedTime"] = now()
    changes["LastUpdateStatus"] = {"Status": "InProgress"}
    context.service(FeatureStore).change_group(description["FeatureGroupArn"], changes)
    if additions:
        update_table({**description, **changes}, context.endpoint)
    return {"FeatureGroupArn": description["FeatureGroupArn"]}


@operation("sagemaker", "DeleteFeatureGroup")
def delete_feature_group(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a feature group and its online records; as in AWS, the offline store and its Glue table remain."""
    description = existing_group(request["FeatureGroupName"], context)
    if description["FeatureGroupStatus"] == "Deleting":
        return {}
    arn = description["FeatureGroupArn"]
    # The offline store remains, and records put before belong in it.
    context.service(OfflineWriter).write_now()
    changes = {"FeatureGroupStatus": "Deleting", _DELETED: now()}
    context.service(FeatureStore).delete_records(arn, changes)
    forget_tags(arn, context)
    return {}


@operation("sagemaker", "ListFeatureGroups")
def list_feature_groups(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of feature groups, newest first by default."""
    marker = f":{context.region}:{context.account_id}:feature-group/"
    stored = (one for one in context.service(FeatureStore).groups() if marker in one["FeatureGroupArn"])
    found = [group for group in (with_status(one, now()) for one in stored) if group is not None]
    found = select([one for one in found if _has_status(one, request)], request, "FeatureGroupName")
    order(found, request, _SORTED_BY, "CreationTime", "Descending")
    return page([only(one, _SUMMARY) for one in found], request, _LIST)


def _has_status(description: dict[str, Any], request: dict[str, Any]) -> bool:
    offline = (description.get("OfflineStoreStatus") or {}).get("Status")
    return request.get("FeatureGroupStatusEquals") in (None, description["FeatureGroupStatus"]) and request.get(
        "OfflineStoreStatusEquals"
    ) in (None, offline)


def existing_group(name: str, context: RequestContext) -> dict[str, Any]:
    """Return the description of a feature group.

    Raises:
        AwsError: ResourceNotFound.
    """
    description = _current(group_arn(name, context), context)
    if description is None:
        raise AwsError("ResourceNotFound", f"Resource Not Found: FeatureGroup with name {name} does not exist.")
    return description


def _current(arn: str, context: RequestContext) -> dict[str, Any] | None:
    """Return a group as it is now; remove one whose deletion is complete."""
    stored = context.service(FeatureStore).group(arn)
    if stored is None:
        return None
    description = with_status(stored, now())
    if description is None:
        context.service(FeatureStore).delete_group(arn)
    return description


def _settled(name: str, context: RequestContext) -> dict[str, Any]:
    """Return a group that is not being created, updated or deleted.

    Raises:
        AwsError: ValidationError.
    """
    description = existing_group(name, context)
    status = description["FeatureGroupStatus"]
    if status != "Created":
        raise _invalid(f"FeatureGroup with name {description['FeatureGroupName']} is in status {status}, not Created.")
    if description.get("LastUpdateStatus", {}).get("Status") == "InProgress":
        raise _invalid(f"An update of FeatureGroup with name {description['FeatureGroupName']} is in progress.")
    return description


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", f"Validation Error: {message}")
