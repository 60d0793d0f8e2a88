"""The operations of the Feature Store runtime."""

from __future__ import annotations

import base64
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.featurestore.groups import group_arn
from localmaker.services.sagemaker.featurestore.offline import OfflineWriter
from localmaker.services.sagemaker.featurestore.records import (
    FeatureGroup,
    FeatureValue,
    Record,
    check_features,
    check_record,
    expiry,
    expiry_text,
    invalid,
    parse_event_time,
)
from localmaker.services.sagemaker.featurestore.store import FeatureStore, StoredRecord, Write

_SERVICE = "sagemaker-featurestore-runtime"
_PAGE = 100
_UPDATABLE = ("Standard_V2", "InMemory")


@operation(_SERVICE, "PutRecord")
def put_record(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Write one record."""
    group = _group(request["FeatureGroupName"], context)
    _write([_checked(request, group, request.get("TtlDuration"))], context)
    return {}


@operation(_SERVICE, "BatchWriteRecord")
def batch_write_record(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Write up to 25 records; one that cannot be written is reported, and the others are written."""
    errors, writes = [], []
    groups: dict[str, FeatureGroup] = {}
    for entry in request["Entries"]:
        try:
            name = entry["FeatureGroupName"]
            group = groups[name] = groups.get(name) or _group(name, context)
            writes.append(_checked(entry, group, entry.get("TtlDuration") or request.get("TtlDuration")))
        except AwsError as error:
            errors.append({"Entry": entry, "ErrorCode": error.code, "ErrorMessage": error.message})
    _write(writes, context)
    return {"Errors": errors, "UnprocessedEntries": []}


def _checked(entry: dict[str, Any], group: FeatureGroup, ttl: dict[str, Any] | None) -> Write:
    record = check_record(group, entry["Record"], ttl)
    stores = _stores(group, entry.get("TargetStores"))
    return Write(group.arn, record, online="OnlineStore" in stores, offline="OfflineStore" in stores)


def _write(writes: list[Write], context: RequestContext) -> None:
    context.service(FeatureStore).write(writes)
    if any(one.offline for one in writes):
        context.service(OfflineWriter).wake()


def _write_offline(
    group: FeatureGroup, event_time: int, values: list[FeatureValue], context: RequestContext, *, deleted: bool = False
) -> None:
    context.service(FeatureStore).add_offline_row(group.arn, event_time, values, deleted=deleted)
    context.service(OfflineWriter).wake()


@operation(_SERVICE, "GetRecord")
def get_record(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return the latest record; an empty response if there is none."""
    group = _online(request["FeatureGroupName"], context)
    names = request.get("FeatureNames")
    _check_names(group, names)
    found = _current(group, request["RecordIdentifierValueAsString"], context)
    if found is None:
        return {}
    return _record_response(found, names, request.get("ExpirationTimeResponse"))


@operation(_SERVICE, "BatchGetRecord")
def batch_get_record(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return records of several groups, without those that do not exist."""
    records: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for wanted in request["Identifiers"]:
        names = wanted.get("FeatureNames")
        try:
            group = _online(wanted["FeatureGroupName"], context)
            _check_names(group, names)
        except AwsError as error:
            errors.extend(_batch_error(wanted["FeatureGroupName"], identifier, error)
                          for identifier in wanted["RecordIdentifiersValueAsString"])  # fmt: skip
            continue
        for identifier in wanted["RecordIdentifiersValueAsString"]:
            found = _current(group, identifier, context)
            if found is not None:
                records.append(
                    {
                        "FeatureGroupName": wanted["FeatureGroupName"],
                        "RecordIdentifierValueAsString": identifier,
                        **_record_response(found, names, request.get("ExpirationTimeResponse")),
                    }
                )
    return {"Records": records, "Errors": errors, "UnprocessedIdentifiers": []}


@operation(_SERVICE, "DeleteRecord")
def delete_record(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a record: softly, so that an older one is refused, or completely. The offline store gets a mark."""
    group = _group(request["FeatureGroupName"], context)
    named = {group.identifier: request["RecordIdentifierValueAsString"], group.event_time: request["EventTime"]}
    values = [{"FeatureName": name, "ValueAsString": text} for name, text in named.items()]
    mark = check_record(group, values, None)
    stores = _stores(group, request.get("TargetStores"))
    store = context.service(FeatureStore)
    if "OnlineStore" in stores and request.get("DeletionMode") != "HardDelete":
        store.soft_delete(group.arn, mark.identifier, mark.event_time)
    elif "OnlineStore" in stores and not store.hard_delete(group.arn, mark.identifier, mark.event_time):
        raise invalid(f"EventTime [{request['EventTime']}] must be later than the EventTime of the existing record")
    if "OfflineStore" in stores:
        _write_offline(group, mark.event_time, values, context, deleted=True)
    return {}


@operation(_SERVICE, "UpdateRecord")
def update_record(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change some features of an existing record."""
    group = _online(request["FeatureGroupName"], context)
    if group.storage_type not in _UPDATABLE:
        raise invalid(
            f"UpdateRecord needs an online store of type {' or '.join(_UPDATABLE)}; "
            f"feature group [{group.name}] has [{group.storage_type}]"
        )
    features: list[FeatureValue] = request["Features"]
    check_features(group, features)
    identifier = request["RecordIdentifierValueAsString"]
    found = _current(group, identifier, context)
    if found is None:
        raise AwsError("ResourceNotFound", f"Record [{identifier}] does not exist in feature group [{group.name}]", 404)
    changes = {value["FeatureName"]: value for value in features}
    given = changes.get(group.event_time, {}).get("ValueAsString")
    if request.get("TtlDuration") and given is None:
        raise invalid("TtlDuration needs an EventTime in the same request")
    event_time = (
        parse_event_time(given, group.feature_types[group.event_time]) if given is not None else found.event_time
    )
    merged = {value["FeatureName"]: value for value in found.values} | changes
    ttl = request.get("TtlDuration")
    expires_at = expiry(event_time, ttl) if ttl else found.expires_at
    if not context.service(FeatureStore).put(
        group.arn, Record(identifier, event_time, list(merged.values()), expires_at)
    ):
        raise AwsError("ConflictException", f"EventTime [{given}] is older than that of the existing record", 409)
    if group.offline:
        _write_offline(group, event_time, list(merged.values()), context)
    return {}


@operation(_SERVICE, "ListRecords")
def list_records(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of record identifiers, in order."""
    group = _online(request["FeatureGroupName"], context)
    limit = request.get("MaxResults", _PAGE)
    after = _after(request.get("NextToken"))
    deleted = request.get("IncludeSoftDeletedRecords", False)
    found = context.service(FeatureStore).identifiers(group.arn, after, limit + 1, deleted=deleted)
    response: dict[str, Any] = {"RecordIdentifiers": found[:limit]}
    if len(found) > limit:
        response["NextToken"] = base64.urlsafe_b64encode(found[limit - 1].encode()).decode()
    return response


def _after(token: str | None) -> str:
    try:
        return base64.urlsafe_b64decode(token or "").decode()
    except ValueError as error:
        raise invalid("NextToken is not one that ListRecords gave") from error


def _group(name: str, context: RequestContext) -> FeatureGroup:
    description = context.service(FeatureStore).group(group_arn(name, context))
    if description is None or description["FeatureGroupStatus"] == "Deleting":
        raise AwsError("ResourceNotFound", f"Resource Not Found: FeatureGroup with name {name} does not exist", 404)
    return FeatureGroup.from_description(description)


def _online(name: str, context: RequestContext) -> FeatureGroup:
    group = _group(name, context)
    if not group.online:
        raise invalid(f"Feature group [{group.name}] has no online store")
    return group


def _stores(group: FeatureGroup, wanted: list[str] | None) -> list[str]:
    has = [name for name, there in (("OnlineStore", group.online), ("OfflineStore", group.offline)) if there]
    for name in wanted or []:
        if name not in has:
            raise invalid(f"Feature group [{group.name}] has no [{name}]")
    return wanted or has


def _check_names(group: FeatureGroup, names: list[str] | None) -> None:
    for name in names or []:
        if name not in group.feature_types:
            raise invalid(f"Feature name [{name}] is not defined in feature group [{group.name}]")


def _current(group: FeatureGroup, identifier: str, context: RequestContext) -> StoredRecord | None:
    found = context.service(FeatureStore).get(group.arn, identifier)
    return None if found is None or found.deleted else found


def _record_response(found: StoredRecord, names: list[str] | None, expiration: str | None) -> dict[str, Any]:
    values = [value for value in found.values if names is None or value["FeatureName"] in names]
    response: dict[str, Any] = {"Record": values}
    if expiration == "Enabled" and found.expires_at is not None:
        response["ExpiresAt"] = expiry_text(found.expires_at)
    return response


def _batch_error(group_name: str, identifier: str, error: AwsError) -> dict[str, Any]:
    return {
        "FeatureGroupName": group_name,
        "RecordIdentifierValueAsString": identifier,
        "ErrorCode": error.code,
        "ErrorMessage": error.message,
    }
