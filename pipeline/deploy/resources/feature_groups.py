"""The feature group: one record a day, online store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import tag_list
from pipeline.deploy.resources.model_package_groups import set_tags, tags_of
from pipeline.errors import DeploymentError

# An online store of storage type InMemory takes AWS a quarter of an hour to remove.
_PATIENCE_SECONDS = 1200
_CREATED, _CREATE_FAILED, _DELETING, _UPDATING = "Created", "CreateFailed", "Deleting", "Updating"
_UNDER_WAY = ("Creating", _UPDATING, _DELETING)


@dataclass(frozen=True)
class FeatureGroup:
    """One feature group.

    Attributes:
        name: of the group.
        record_identifier: feature that names a record.
        event_time: feature that says which of two writes is the newer.
        features: feature name → ``String``, ``Integral`` or ``Fractional``.
        role_arn: role for the offline store.
        kms_key: key of the online store; None is AWS's own.
        tags: name → value.
        time_to_live_days: how long a record is kept after its event time, the upload's; None is for ever.
    """

    name: str
    record_identifier: str
    event_time: str
    features: Mapping[str, str]
    role_arn: str
    kms_key: str | None
    tags: Mapping[str, str]
    time_to_live_days: int | None = None
    kind: str = "feature group"

    def desired(self) -> State:
        """State, features, key, how long records are kept, tags."""
        return {
            "status": _CREATED,
            "record identifier": self.record_identifier,
            "event time": self.event_time,
            "features": dict(self.features),
            "key": self.kms_key,
            "time to live": self._time_to_live(),
            "tags": dict(self.tags),
        }

    def _time_to_live(self) -> dict[str, Any] | None:
        return {"Unit": "Days", "Value": self.time_to_live_days} if self.time_to_live_days is not None else None

    def current(self, aws: Aws) -> State | None:
        """The group as it is; None where it does not exist."""
        answer = unless_missing(lambda: aws.sagemaker.describe_feature_group(FeatureGroupName=self.name))
        if answer is None:
            return None
        online = answer.get("OnlineStoreConfig", {})
        key = online.get("SecurityConfig", {}).get("KmsKeyId")
        return {
            "status": _status(answer),
            "record identifier": answer["RecordIdentifierFeatureName"],
            "event time": answer["EventTimeFeatureName"],
            "features": {item["FeatureName"]: item["FeatureType"] for item in answer["FeatureDefinitions"]},
            "key": self.kms_key if _same_key(key, self.kms_key) else key,
            "time to live": online.get("TtlDuration"),
            "tags": tags_of(aws, answer["FeatureGroupArn"]),
        }

    def create(self, aws: Aws) -> None:
        """Make the group and wait until it takes records."""
        online: dict[str, Any] = {"EnableOnlineStore": True}
        if self.kms_key is not None:
            online["SecurityConfig"] = {"KmsKeyId": self.kms_key}
        if self.time_to_live_days is not None:
            online["TtlDuration"] = self._time_to_live()
        aws.sagemaker.create_feature_group(
            FeatureGroupName=self.name,
            RecordIdentifierFeatureName=self.record_identifier,
            EventTimeFeatureName=self.event_time,
            FeatureDefinitions=self._definitions(self.features),
            OnlineStoreConfig=online,  # type: ignore[arg-type]
            RoleArn=self.role_arn,
            Tags=tag_list(self.tags),
        )
        self._wait(aws)

    def refusal(self, differences: Mapping[str, Difference]) -> DeploymentError | None:
        """Of a group that has been made, features are only added, and its key stays; expiring is not taken back."""
        status = differences.get("status")
        if status is not None and status.current in {_CREATE_FAILED, _DELETING}:
            return None  # it is made anew
        for name, kind in (differences["features"].current if "features" in differences else {}).items():
            if self.features.get(name) != kind:
                return _cannot_change(self.name, f"feature {name!r} would have to be removed or change its type")
        if "time to live" in differences and self.time_to_live_days is None:
            return DeploymentError(
                f"Records of feature group {self.name} expire, which AWS lets nobody take back: "
                f"{differences['time to live'].current}.",
                hint="Set [features] time_to_live_days, or destroy it and deploy again.",
            )
        for field in ("record identifier", "event time", "key"):
            if field in differences:
                current, desired = differences[field].current or "none", differences[field].desired or "none"
                return _cannot_change(self.name, f"its {field} is {current}, and would have to be {desired}")
        return None

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Add features that are new, set tags and how long records are kept; AWS can change nothing else.

        One that could not be made is made anew: it has never held a record.
        """
        if refusal := self.refusal(differences):
            raise refusal
        if "status" in differences and self._settle(aws, differences["status"].current):
            return
        if "features" in differences:
            current = differences["features"].current
            added = {name: kind for name, kind in self.features.items() if name not in current}
            aws.sagemaker.update_feature_group(FeatureGroupName=self.name, FeatureAdditions=self._definitions(added))
            self._wait(aws)
        if "time to live" in differences:
            store: Any = {"TtlDuration": self._time_to_live()}
            aws.sagemaker.update_feature_group(FeatureGroupName=self.name, OnlineStoreConfig=store)
            self._wait(aws)
        if "tags" in differences:
            arn = aws.sagemaker.describe_feature_group(FeatureGroupName=self.name)["FeatureGroupArn"]
            set_tags(aws, arn, self.tags, differences["tags"])

    def _settle(self, aws: Aws, status: str) -> bool:
        """Wait for what is under way, and replace what has failed; whether the group was made anew."""
        if status == _CREATE_FAILED:
            aws.sagemaker.delete_feature_group(FeatureGroupName=self.name)
        elif status not in _UNDER_WAY:
            raise DeploymentError(f"Feature group {self.name} is {status}.", hint="Destroy it and deploy again.")
        if status in {_CREATE_FAILED, _DELETING}:
            self._wait(aws, until_gone=True)
            self.create(aws)
            return True
        self._wait(aws)
        return False

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove the group and its records."""
        current = self.current(aws)
        if current is None:
            return Removal.ABSENT
        if keep_data:
            return Removal.HOLDS_DATA
        if current["status"] != _DELETING:
            aws.sagemaker.delete_feature_group(FeatureGroupName=self.name)
        # It takes a while, and until then none of the same name can be made.
        self._wait(aws, until_gone=True)
        return Removal.REMOVED

    @staticmethod
    def _definitions(features: Mapping[str, str]) -> Any:
        return [{"FeatureName": name, "FeatureType": kind} for name, kind in features.items()]

    def _wait(self, aws: Aws, *, until_gone: bool = False) -> None:
        from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

        def status() -> tuple[str, str]:
            answer = unless_missing(lambda: aws.sagemaker.describe_feature_group(FeatureGroupName=self.name))
            if answer is None:
                return "Gone", ""
            return _status(answer), answer.get("FailureReason", "")

        waiting = Retrying(
            retry=retry_if_result(lambda answer: answer[0] in _UNDER_WAY),
            wait=wait_exponential(multiplier=0.05, max=5),
            stop=stop_after_delay(_PATIENCE_SECONDS),
        )
        state, reason = waiting(status)
        if state != ("Gone" if until_gone else _CREATED):
            raise DeploymentError(
                f"Feature group {self.name} is {state}: {reason}", hint="Mend that, then deploy again: it is made anew."
            )


def _status(described: Any) -> str:
    """``Creating``, ``Created``, ``Updating`` …"""
    if described.get("LastUpdateStatus", {}).get("Status") == "InProgress":
        return _UPDATING
    return str(described.get("FeatureGroupStatus", _CREATED))


def _same_key(current: str | None, wanted: str | None) -> bool:
    """Whether two names can be of one key. An alias is known only by its own name: of another nobody can tell here."""
    if current is None or wanted is None:
        return current == wanted
    if "alias/" in current and "alias/" in wanted:
        return current.partition("alias/")[2] == wanted.partition("alias/")[2]
    return "alias/" in current + wanted or current.rpartition("/")[2] == wanted.rpartition("/")[2]


def _cannot_change(name: str, what: str) -> DeploymentError:
    return DeploymentError(
        f"Feature group {name} can't be changed in place: {what}.",
        hint="Give all of it other names (setting `project`), or destroy the environment and deploy it again.",
    )
