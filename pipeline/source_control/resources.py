"""What a connection needs beside the notebook instance: secret, code repository, lifecycle configuration."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Action, Change, Difference, Removal, Resource, State
from pipeline.source_control.credential import Credential

#: Days in which a removed secret can be restored; Secrets Manager's longest.
RECOVERY_DAYS = 30


@dataclass(frozen=True)
class Secret(Resource):
    """The credential in Secrets Manager; a plan knows whether it is there, and never what it is."""

    kind = "secret"
    tag_api = tags.SECRETS
    kms_key: str | None
    credential: Credential | None = field(default=None, repr=False, compare=False)

    def _desired(self) -> State:
        return {**({"encryption": self.kms_key} if self.kms_key else {}), "removed": False}

    def needs_credential(self, change: Change) -> bool:
        """Say whether a change of it can't be made without a credential."""
        return change.action is Action.CREATE or any(item.field == "removed" for item in change.differences)

    def create(self, aws: Aws) -> None:
        """Create it with the credential."""
        given = self._given()
        key: Any = {"KmsKeyId": self.kms_key} if self.kms_key else {}
        aws.secrets.create_secret(
            Name=self.name,
            Description="Credential of the Git repository that notebooks pull from",
            SecretString=given.secret_string(),
            Tags=tags.tag_list(self.tags),
            **key,
        )

    def put(self, aws: Aws) -> None:
        """Make the credential the secret's current version."""
        aws.secrets.put_secret_value(SecretId=self.name, SecretString=self._given().secret_string())

    def _given(self) -> Credential:
        if self.credential is None:
            raise AssertionError("plan() refuses to create a secret without a credential")
        return self.credential

    def _describe(self, aws: Aws) -> Any:
        return aws.secrets.describe_secret(SecretId=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        return {"encryption": found.get("KmsKeyId"), "removed": "DeletedDate" in found}

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if "removed" in differences:
            aws.secrets.restore_secret(SecretId=self.name)
            self.put(aws)
        if "encryption" in differences:
            aws.secrets.update_secret(SecretId=self.name, KmsKeyId=self.kms_key)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if "DeletedDate" in found:
            return Removal.ABSENT
        aws.secrets.delete_secret(SecretId=self.name, RecoveryWindowInDays=RECOVERY_DAYS)
        return Removal.REMOVED


@dataclass(frozen=True)
class CodeRepository(Resource):
    """The Git repository as SageMaker knows it."""

    kind = "code repository"
    tag_api = tags.SAGEMAKER
    tag_member = "CodeRepositoryArn"
    url: str
    branch: str
    secret: str  #: Name of the secret.

    def _desired(self) -> State:
        return {"url": self.url, "branch": self.branch, "secret": self.secret}

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_code_repository(CodeRepositoryName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        git = found["GitConfig"]
        # A secret that was created anew has another ARN, and the same name.
        arn = git.get("SecretArn")
        secret = self.secret if arn is not None and arn == self._secret_arn(aws) else arn
        return {"url": git["RepositoryUrl"], "branch": git.get("Branch"), "secret": secret}

    def _secret_arn(self, aws: Aws) -> str | None:
        found = unless_missing(lambda: aws.secrets.describe_secret(SecretId=self.secret))
        return None if found is None else str(found["ARN"])

    def create(self, aws: Aws) -> None:
        """Create it; SageMaker clones it only when an instance starts."""
        git: Any = {"RepositoryUrl": self.url, "Branch": self.branch, "SecretArn": self._secret_arn(aws)}
        aws.sagemaker.create_code_repository(CodeRepositoryName=self.name, GitConfig=git, Tags=tags.tag_list(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        git: Any = {"SecretArn": self._secret_arn(aws)}
        aws.sagemaker.update_code_repository(CodeRepositoryName=self.name, GitConfig=git)

    def replacement(self, differences: Mapping[str, Difference]) -> str | None:
        """Return why: AWS changes the secret only."""
        if {"url", "branch"} & differences.keys():
            return "AWS can't change its URL and branch; clones on notebook instances stay, and pull from the new one"
        return None

    def replace(self, aws: Aws) -> None:
        """Remove it and create it anew; nothing but the name refers to it."""
        aws.sagemaker.delete_code_repository(CodeRepositoryName=self.name)
        self.create(aws)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.sagemaker.delete_code_repository(CodeRepositoryName=self.name)
        return Removal.REMOVED


@dataclass(frozen=True)
class LifecycleConfiguration(Resource):
    """The script that runs at every start of the instances that have it."""

    kind = "start script"
    tag_api = tags.SAGEMAKER
    tag_member = "NotebookInstanceLifecycleConfigArn"
    script: str

    def _desired(self) -> State:
        return {"script": _summary(self.script), "on create": False}

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        scripts = [base64.b64decode(hook["Content"]).decode("utf-8", "replace") for hook in found.get("OnStart") or []]
        return {"script": _summary("".join(scripts)), "on create": bool(found.get("OnCreate"))}

    def _hooks(self) -> Any:
        return {
            "NotebookInstanceLifecycleConfigName": self.name,
            "OnStart": [{"Content": base64.b64encode(self.script.encode()).decode()}],
        }

    def create(self, aws: Aws) -> None:
        """Create it."""
        aws.sagemaker.create_notebook_instance_lifecycle_config(**self._hooks(), Tags=tags.tag_list(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        aws.sagemaker.update_notebook_instance_lifecycle_config(**self._hooks(), OnCreate=[])

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.sagemaker.delete_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName=self.name)
        return Removal.REMOVED


def _summary(script: str) -> str:
    """Return what tells a script from others, short enough for a plan."""
    return f"{len(script.splitlines())} lines, SHA-256 {hashlib.sha256(script.encode()).hexdigest()[:12]}"
