"""The feature group: one record a row, online store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.errors import DeploymentError

# An online store of storage type InMemory takes AWS a quarter of an hour to remove.
_PATIENCE_SECONDS = 1200
_CREATED, _CREATE_FAILED, _DELETING, _UPDATING = "Created", "CreateFailed", "Deleting", "Updating"
_UNDER_WAY = ("Creating", _UPDATING, _DELETING)


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
    kms_key: str | None  #: Key of the online store; None is AWS's own
    #: How long a record is kept after its event time, the upload's; None is for ever.
    time_to_live_days: int | None = None

    def _desired(self) -> State:
        return {
            "status": _CREATED,
            "record identifier": self.record_identifier,
            "event time": self.event_time,
            "features": dict(self.features),
            "key": self.kms_key,
            "time to live": self._time_to_live(),
        }

    def _time_to_live(self) -> dict[str, Any] | None:
        return {"Unit": "Days", "Value": self.time_to_live_days} if self.time_to_live_days is not None else None

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_feature_group(FeatureGroupName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        online = found.get("OnlineStoreConfig", {})
        key = online.get("SecurityConfig", {}).get("KmsKeyId")
        return {
            "status": _status(found),
            "record identifier": found["RecordIdentifierFeatureName"],
            "event time": found["EventTimeFeatureName"],
            "features": {item["FeatureName"]: item["FeatureType"] for item in found["FeatureDefinitions"]},
            "key": self.kms_key if _same_key(key, self.kms_key) else key,
            "time to live": online.get("TtlDuration"),
        }

    def create(self, aws: Aws) -> None:
        """Create the group and wait until it takes records."""
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
            Tags=tags.tag_list(self.tags),
        )
        self._wait(aws)

    def refusal(self, differences: Mapping[str, Difference]) -> DeploymentError | None:
        """Return why AWS can't do it: features are only added, the key stays, and expiry can't be switched off."""
        status = differences.get("status")
        if status is not None and status.current in {_CREATE_FAILED, _DELETING}:
            return None  # it is created again
        for name, kind in (differences["features"].current if "features" in differences else {}).items():
            if self.features.get(name) != kind:
                return self._cannot_change(f"feature {name!r} would have to be removed or change its type")
        if "time to live" in differences and self.time_to_live_days is None:
            expiry = differences["time to live"].current
            return DeploymentError(
                f"Records of feature group {self.name} expire (after {expiry['Value']} {expiry['Unit']}), "
                "and AWS can't switch that off.",
                hint="Set [features] time_to_live_days, or destroy it and deploy again.",
            )
        for field in ("record identifier", "event time", "key"):
            if field in differences:
                current, desired = differences[field].current or "none", differences[field].desired or "none"
                return self._cannot_change(f"its {field} is {current}, and would have to be {desired}")
        return None

    def _cannot_change(self, what: str) -> DeploymentError:
        return DeploymentError(
            f"Feature group {self.name} can't be changed in place: {what}.",
            hint="Give everything other names (setting `project`), or destroy the environment and deploy it again.",
        )

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if refusal := self.refusal(differences):
            raise refusal
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

    def _settle(self, aws: Aws, status: str) -> bool:
        """Wait for what is under way; create again what failed (it never held a record), and say whether it did."""
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

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if keep_data:
            return Removal.HOLDS_DATA
        if _status(found) != _DELETING:
            aws.sagemaker.delete_feature_group(FeatureGroupName=self.name)
        # It takes a while, and until then its name is taken.
        self._wait(aws, until_gone=True)
        return Removal.REMOVED

    @staticmethod
    def _definitions(features: Mapping[str, str]) -> Any:
        return [{"FeatureName": name, "FeatureType": kind} for name, kind in features.items()]

    def _wait(self, aws: Aws, *, until_gone: bool = False) -> None:
        def status() -> tuple[str, str]:
            answer = unless_missing(lambda: self._describe(aws))
            return (_status(answer), answer.get("FailureReason", "")) if answer else ("Gone", "")

        waiting = Retrying(
            retry=retry_if_result(lambda answer: answer[0] in _UNDER_WAY),
            wait=wait_exponential(multiplier=0.05, max=5),
            stop=stop_after_delay(_PATIENCE_SECONDS),
        )
        state, reason = waiting(status)
        if state != ("Gone" if until_gone else _CREATED):
            raise DeploymentError(
                f"Feature group {self.name} is {state}: {reason}", hint="Fix that, then deploy again: it is recreated."
            )


def _status(described: Any) -> str:
    """Return ``Creating``, ``Created``, ``Updating`` …."""
    if described.get("LastUpdateStatus", {}).get("Status") == "InProgress":
        return _UPDATING
    return str(described.get("FeatureGroupStatus", _CREATED))


def _same_key(current: str | None, wanted: str | None) -> bool:
    """Say whether two names may be of one key. Which key an alias is for is not known here."""
    if current is None or wanted is None:
        return current == wanted
    if "alias/" in current and "alias/" in wanted:
        return current.partition("alias/")[2] == wanted.partition("alias/")[2]
    return "alias/" in current + wanted or current.rpartition("/")[2] == wanted.rpartition("/")[2]
