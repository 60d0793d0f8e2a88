"""The feature groups: one record a row, in an online store, an offline store, or both."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from analysis.features.stored import EVENT_TIME, StoredFeatures, stored_groups
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Waiting
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.deploy.offline_store import OFFLINE_DATABASE, OFFLINE_FOLDER
from pipeline.deploy.resources import feature_group_states as states
from pipeline.errors import DeploymentError
from pipeline.settings.environment import Settings

_ACTIVE = "Active"


@dataclass(frozen=True)
class FeatureGroup(Resource):
    """One feature group."""

    kind = "feature group"
    tag_api = tags.SAGEMAKER
    tag_member = "FeatureGroupArn"
    record_identifier: str  #: Feature that names a record.
    event_time: str  #: Feature that says which of two writes is the newer.
    features: Mapping[str, str]  #: Feature name → ``String``, ``Integral`` or ``Fractional``.
    role_arn: str
    kms_key: str | None  #: Key of both stores; None is AWS's own
    #: How long a record is kept online after its event time, the upload's; None is for ever.
    time_to_live_days: int | None = None
    online: bool = True  #: Whether it has an online store.
    offline_uri: str | None = None  #: Below which its offline store is; None is without one.
    waiting: Waiting = field(default=Waiting(), repr=False, compare=False)

    def _desired(self) -> State:
        return {
            "status": states.CREATED,
            "record identifier": self.record_identifier,
            "event time": self.event_time,
            "features": dict(self.features),
            "online store": self.online,
            "key": self.kms_key if self.online else None,
            "time to live": self._time_to_live(),
            "offline store": self._offline_place(),
        }

    def _offline_place(self) -> dict[str, Any] | None:
        return {"place": self.offline_uri, "key": self.kms_key, "status": _ACTIVE} if self.offline_uri else None

    def _time_to_live(self) -> dict[str, Any] | None:
        return {"Unit": "Days", "Value": self.time_to_live_days} if self.time_to_live_days is not None else None

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_feature_group(FeatureGroupName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        online = found.get("OnlineStoreConfig", {})
        return {
            "status": states.status_of(found),
            "record identifier": found["RecordIdentifierFeatureName"],
            "event time": found["EventTimeFeatureName"],
            "features": {item["FeatureName"]: item["FeatureType"] for item in found["FeatureDefinitions"]},
            "online store": bool(online.get("EnableOnlineStore")),
            "key": self._known_key(online.get("SecurityConfig", {})),
            "time to live": online.get("TtlDuration"),
            "offline store": self._offline_state(found),
        }

    def _offline_state(self, found: Any) -> dict[str, Any] | None:
        storage = found.get("OfflineStoreConfig", {}).get("S3StorageConfig")
        if storage is None:
            return None
        status = found.get("OfflineStoreStatus", {})
        reason = {"reason": status["BlockedReason"]} if "BlockedReason" in status else {}
        place = {"place": storage["S3Uri"], "key": self._known_key(storage)}
        return {**place, "status": status.get("Status", _ACTIVE), **reason}

    def _known_key(self, config: Mapping[str, Any]) -> str | None:
        key = config.get("KmsKeyId")
        return self.kms_key if _same_key(key, self.kms_key) else key

    def create(self, aws: Aws) -> None:
        """Create the group and wait until it takes records."""
        stores: dict[str, Any] = {}
        key = {} if self.kms_key is None else {"KmsKeyId": self.kms_key}
        if self.online:
            stores["OnlineStoreConfig"] = {"EnableOnlineStore": True, **({"SecurityConfig": key} if key else {})}
            if self.time_to_live_days is not None:
                stores["OnlineStoreConfig"]["TtlDuration"] = self._time_to_live()
        if self.offline_uri is not None:
            # The table is AWS's: it makes one, and adds the features to it that are added later.
            storage = {"S3Uri": self.offline_uri, **key}
            stores["OfflineStoreConfig"] = {"S3StorageConfig": storage, "DisableGlueTableCreation": False}
        aws.sagemaker.create_feature_group(
            FeatureGroupName=self.name,
            RecordIdentifierFeatureName=self.record_identifier,
            EventTimeFeatureName=self.event_time,
            FeatureDefinitions=self._definitions(self.features),
            RoleArn=self.role_arn,
            Tags=tags.tag_list(self.tags),
            **stores,
        )
        self._wait(aws)

    def replacement(self, differences: Mapping[str, Difference]) -> str | None:
        """Return what AWS can't change: it only adds features and changes the expiry."""
        status = differences.get("status")
        if status is not None and status.current in {states.CREATE_FAILED, states.DELETING}:
            return None  # it is created again anyway
        reason = next(self._fixed(differences), None)
        if reason is None:
            return None
        offline = differences["offline store"].current if "offline store" in differences else self._offline_place()
        stays = (
            f"; its offline data below {offline['place']} and their table stay, and are read no more" if offline else ""
        )
        return f"AWS can't change that {reason}. Its online records are lost{stays}"

    def _fixed(self, differences: Mapping[str, Difference]) -> Iterator[str]:
        current = differences["features"].current if "features" in differences else {}
        for name in (name for name, kind in current.items() if self.features.get(name) != kind):
            yield f"it has feature {name!r} of type {current[name]}"
        if "time to live" in differences and self.time_to_live_days is None:
            expiry = differences["time to live"].current
            yield f"its records expire after {expiry['Value']} {expiry['Unit']} (see [features] time_to_live_days)"
        for name in ("record identifier", "event time", "key"):
            if name in differences:
                yield f"its {name} is {differences[name].current or 'none'}"
        if "online store" in differences:
            yield f"it has {'no' if self.online else 'an'} online store"
        if "offline store" in differences:
            before, after = (
                {name: value for name, value in (store or {}).items() if name in {"place", "key"}}
                for store in (differences["offline store"].current, differences["offline store"].desired)
            )
            if before != after:
                yield f"it has {'no offline store' if not before else 'an offline store'}" + (
                    f" at {before['place']} with key {before['key'] or 'none'}" if before and after else ""
                )

    def replace(self, aws: Aws) -> None:
        """Delete the group and create it anew; offline data and table stay, as AWS leaves them."""
        self._delete(aws, unless_missing(lambda: self._describe(aws)))
        self.create(aws)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if "status" in differences and self._settle(aws, differences["status"].current):
            return
        changes: list[dict[str, Any]] = []
        if "features" in differences:
            current = differences["features"].current
            added = {name: kind for name, kind in self.features.items() if name not in current}
            changes.append({"FeatureAdditions": self._definitions(added)})
        if "time to live" in differences:
            changes.append({"OnlineStoreConfig": {"TtlDuration": self._time_to_live()}})
        for change in changes:
            aws.sagemaker.update_feature_group(FeatureGroupName=self.name, **change)
            self._wait(aws)
        if "offline store" in differences:
            self._refuse_blocked(aws)

    def _refuse_blocked(self, aws: Aws) -> None:
        """Raise DeploymentError where AWS still does not write to the offline store: no call makes it do so."""
        offline = self._offline_state(self._describe(aws)) or {}
        if offline.get("status") != _ACTIVE:
            raise DeploymentError(
                f"The offline store of feature group {self.name} is {offline.get('status')}: "
                f"{offline.get('reason', 'AWS gives no reason')}",
                hint="Let its role write there again (bucket policy, key, permissions); then deploy again.",
            )

    def _settle(self, aws: Aws, status: str) -> bool:
        """Wait for what is under way; create again what failed (it never held a record), and say whether it did."""
        if status not in {states.CREATE_FAILED, *states.UNDER_WAY}:
            raise DeploymentError(f"Feature group {self.name} is {status}.", hint="Destroy it and deploy again.")
        if status in {states.CREATE_FAILED, states.DELETING}:
            self._delete(aws, {"FeatureGroupStatus": status})
            self.create(aws)
            return True
        self._wait(aws)
        return False

    def _delete(self, aws: Aws, found: Any) -> None:
        """Delete the group, and wait: until it is gone its name is taken."""
        if found and states.status_of(found) != states.DELETING:
            aws.sagemaker.delete_feature_group(FeatureGroupName=self.name)
        self._wait(aws, until_gone=True)

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove the group and its tables, also those that an interrupted removal has left without their group."""
        removal = super().delete(aws, keep_data=keep_data)
        if keep_data:
            return removal
        # The files go with their bucket; AWS leaves the tables.
        tables = self.tables(aws)
        for table in tables:
            with suppress(aws.glue.exceptions.EntityNotFoundException):
                aws.glue.delete_table(DatabaseName=OFFLINE_DATABASE, Name=table)
        return Removal.REMOVED if tables else removal

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if keep_data:
            return Removal.HOLDS_DATA
        self._delete(aws, found)
        return Removal.REMOVED

    def tables(self, aws: Aws) -> list[str]:
        """List the tables of its offline data, and of the groups of this name that it replaced."""
        if self.offline_uri is None:
            return []
        pages = aws.glue.get_paginator("get_tables").paginate(DatabaseName=OFFLINE_DATABASE)
        found = unless_missing(lambda: [table for page in pages for table in page["TableList"]]) or []
        data = re.compile(rf"{re.escape(self.offline_uri)}/.*/{re.escape(self.name)}-\d+/data/?", re.IGNORECASE)
        return [
            table["Name"] for table in found if data.fullmatch(table.get("StorageDescriptor", {}).get("Location", ""))
        ]

    @staticmethod
    def _definitions(features: Mapping[str, str]) -> Any:
        return [{"FeatureName": name, "FeatureType": kind} for name, kind in features.items()]

    def _wait(self, aws: Aws, *, until_gone: bool = False) -> None:
        states.wait_for_group(self.name, aws, self.waiting, until_gone=until_gone)


def feature_groups(settings: Settings) -> tuple[FeatureGroup, FeatureGroup]:
    """Return the groups of inputs and of outcomes."""
    stored = stored_groups(settings.declared)
    return (
        _group(settings, settings.inputs_group_name, stored.inputs),
        _group(settings, settings.outcomes_group_name, stored.outcomes),
    )


def _group(settings: Settings, name: str, stored: StoredFeatures) -> FeatureGroup:
    asked = settings.features
    return FeatureGroup(
        name,
        record_identifier=stored.identifier,
        event_time=EVENT_TIME,
        features=stored.types,
        role_arn=settings.role_arn(settings.execution_role_name),
        kms_key=settings.kms_key,
        time_to_live_days=asked.time_to_live_days,
        online=asked.online_store,
        offline_uri=f"s3://{settings.artifacts_bucket}/{OFFLINE_FOLDER}" if asked.offline_store else None,
    )


def _same_key(current: str | None, wanted: str | None) -> bool:
    """Say whether two names may be of one key. Which key an alias is for is not known here."""
    if current is None or wanted is None:
        return current == wanted
    if "alias/" in current and "alias/" in wanted:
        return current.partition("alias/")[2] == wanted.partition("alias/")[2]
    return "alias/" in current + wanted or current.rpartition("/")[2] == wanted.rpartition("/")[2]
