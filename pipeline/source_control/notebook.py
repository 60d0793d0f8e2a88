"""The notebook instance: created with the repository, or, where it is there already, stopped, changed and started.

What is on its volume is somebody's work: nothing here replaces an instance, and only a deletion that was asked for
removes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Found, Waiting, wait_until_ended
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.errors import DeploymentError

#: The default since May 2026; instances on Amazon Linux 2 do not start any more ("Amazon Linux 2 notebook instances",
#: SageMaker's developer guide), and keep their volume when they are moved.
PLATFORM = "notebook-al2023-v1"
_OUTDATED = ("notebook-al1-", "notebook-al2-")
INSTANCE_TYPE, VOLUME_GIB = "ml.t3.medium", 20
_UNDER_WAY = ("Pending", "Stopping", "Updating", "Deleting", "PendingMaintenance", "InMaintenance")
_RUNNING, _STOPPED, _GONE = "InService", "Stopped", "gone"


@dataclass(frozen=True)
class NotebookInstance(Resource):
    """One instance; what is None is decided for a new one, and left as it is on another."""

    kind = "notebook instance"
    tag_api = tags.SAGEMAKER
    tag_member = "NotebookInstanceArn"
    code_repository: str
    lifecycle: str
    role_arn: str
    instance_type: str | None = None
    volume_gib: int | None = None
    subnet: str | None = None
    security_groups: tuple[str, ...] = ()
    kms_key: str | None = None
    waiting: Waiting = field(default_factory=Waiting, compare=False, repr=False)

    def _desired(self) -> State:
        asked = {"instance type": self.instance_type, "volume in GiB": self.volume_gib, **self._unchangeable()}
        return {
            "code repository": self.code_repository,
            "lifecycle configuration": self.lifecycle,
            "role": self.role_arn,
            "platform": PLATFORM,
            **{name: value for name, value in asked.items() if value},
        }

    def _unchangeable(self) -> dict[str, Any]:
        """Return what AWS takes for a new instance only; one that is there stays as it is."""
        groups = sorted(self.security_groups)
        return {"subnet": self.subnet, "security groups": groups, "encryption of the volume": self.kms_key}

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_notebook_instance(NotebookInstanceName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        platform = found.get("PlatformIdentifier", PLATFORM)
        state: dict[str, Any] = {
            "code repository": found.get("DefaultCodeRepository"),
            "lifecycle configuration": found.get("NotebookInstanceLifecycleConfigName"),
            "role": found["RoleArn"],
            "platform": platform if platform.startswith(_OUTDATED) else PLATFORM,
            "instance type": found["InstanceType"],
            "volume in GiB": found.get("VolumeSizeInGB"),
            **self._unchangeable(),
        }
        # Somebody else's instance keeps its tags.
        return state if self._is_made_here(aws, found) else {**state, "tags": dict(self.tags)}

    def _is_made_here(self, aws: Aws, found: Any) -> bool:
        return self.is_ours(tags.SAGEMAKER.read(aws, found["NotebookInstanceArn"]))

    def create(self, aws: Aws) -> None:
        """Create it and wait until it runs."""
        network: Any = {}
        if self.subnet is not None:
            # Like the jobs: what it reaches is the VPC's to say.
            network = {"SubnetId": self.subnet, "SecurityGroupIds": list(self.security_groups)}
            network["DirectInternetAccess"] = "Disabled"
        if self.kms_key is not None:
            network["KmsKeyId"] = self.kms_key
        kind: Any = self.instance_type or INSTANCE_TYPE
        aws.sagemaker.create_notebook_instance(
            NotebookInstanceName=self.name,
            InstanceType=kind,
            VolumeSizeInGB=self.volume_gib or VOLUME_GIB,
            RoleArn=self.role_arn,
            DefaultCodeRepository=self.code_repository,
            LifecycleConfigName=self.lifecycle,
            PlatformIdentifier=PLATFORM,
            InstanceMetadataServiceConfiguration={"MinimumInstanceMetadataServiceVersion": "2"},
            Tags=tags.tag_list(self.tags),
            **network,
        )
        self._wait(aws, _RUNNING)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        members: dict[str, dict[str, Any]] = {
            "code repository": {"DefaultCodeRepository": self.code_repository},
            "lifecycle configuration": {"LifecycleConfigName": self.lifecycle},
            "role": {"RoleArn": self.role_arn},
            "platform": {"PlatformIdentifier": PLATFORM},
            "instance type": {"InstanceType": self.instance_type},
            "volume in GiB": {"VolumeSizeInGB": self.volume_gib},
        }
        self._change(aws, {key: value for name in differences for key, value in members[name].items()})

    def _change(self, aws: Aws, request: Mapping[str, Any]) -> None:
        """Change what AWS changes on stopped instances only; one that runs is started again, changed or not."""
        was = self._wait(aws, _RUNNING, _STOPPED, "Failed")
        self._stop(aws, was)
        changes: Any = request
        try:
            aws.sagemaker.update_notebook_instance(NotebookInstanceName=self.name, **changes)
            self._wait(aws, _STOPPED)
        finally:
            if was == _RUNNING:
                aws.sagemaker.start_notebook_instance(NotebookInstanceName=self.name)
        if was == _RUNNING:
            self._wait(aws, _RUNNING)

    def _stop(self, aws: Aws, state: str) -> None:
        if state == _RUNNING:
            aws.sagemaker.stop_notebook_instance(NotebookInstanceName=self.name)
            self._wait(aws, _STOPPED, "Failed")

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        ours = self._is_made_here(aws, found)
        if keep_data or not ours:
            self._free(aws, found)
            return Removal.HOLDS_DATA if ours else Removal.NOT_OURS
        self._stop(aws, self._wait(aws, _RUNNING, _STOPPED, "Failed"))
        aws.sagemaker.delete_notebook_instance(NotebookInstanceName=self.name)
        self._wait(aws, _GONE)
        return Removal.REMOVED

    def _free(self, aws: Aws, found: Any) -> None:
        """Take repository and start script from it, where they are ours; its volume keeps the clone."""
        request = {}
        if found.get("DefaultCodeRepository") == self.code_repository:
            request["DisassociateDefaultCodeRepository"] = True
        if found.get("NotebookInstanceLifecycleConfigName") == self.lifecycle:
            request["DisassociateLifecycleConfig"] = True
        if request:
            self._change(aws, request)

    def _wait(self, aws: Aws, *wanted: str) -> str:
        """Wait until it is in one of these states.

        Raises:
            DeploymentError: it ended in another; the reason is AWS's.
        """

        def look() -> Found:
            found = unless_missing(lambda: self._describe(aws))
            return Found(found["NotebookInstanceStatus"], found.get("FailureReason", "")) if found else Found(_GONE)

        ended = wait_until_ended(f"Notebook instance {self.name}", look, _UNDER_WAY, self.waiting)
        if ended.state not in wanted:
            why = ended.reason or "AWS gives no reason"
            hint = f"What its start script said is in the log group /aws/sagemaker/NotebookInstances, {self.name}."
            raise DeploymentError(f"Notebook instance {self.name} is {ended.state}: {why}", hint)
        return ended.state
