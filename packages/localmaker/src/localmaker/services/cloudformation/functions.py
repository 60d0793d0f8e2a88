"""Kinds of Lambda's resources."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localmaker.services.cloudformation.fitting import UnfitError
from localmaker.services.cloudformation.kinds import Kind, Made, Properties, call

_CONCURRENCY = "ReservedConcurrentExecutions"
_CODE = ("S3Bucket", "S3Key", "S3ObjectVersion", "ZipFile", "ImageUri")


@dataclass(frozen=True)
class _Function(Kind):
    """A function, whose code may be the text of a module."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        answer = call(client, self.create, self.parameters(client, self.create, self.named(name, properties)))
        made = Made(answer["FunctionName"], {"Arn": answer["FunctionArn"]})
        self._limit(client, name, {}, properties)
        return made

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        if old.get("PackageType") != new.get("PackageType"):
            return None
        name = before.physical_id
        whole = self.parameters(client, self.create, self.named(name, new))
        code = {key: value for key, value in whole["Code"].items() if key in _CODE}
        if old.get("Code") != new.get("Code"):
            client.update_function_code(FunctionName=name, **code)
        accepted = client.meta.service_model.operation_model("UpdateFunctionConfiguration").input_shape.members
        client.update_function_configuration(**{key: value for key, value in whole.items() if key in accepted})
        self._limit(client, name, old, new)
        return before

    def parameters(self, client: Any, operation: str, properties: Properties) -> dict[str, Any]:
        own = {key: value for key, value in properties.items() if key != _CONCURRENCY}
        if isinstance(own.get("Tags"), list):
            own["Tags"] = {one["Key"]: one["Value"] for one in own["Tags"]}
        code = own.get("Code")
        if isinstance(code, Mapping) and "ZipFile" in code:
            own["Code"] = {**code, "ZipFile": _zipped(str(code["ZipFile"]), str(properties.get("Runtime", "")))}
        return super().parameters(client, operation, own)

    def _limit(self, client: Any, name: str, old: Properties, new: Properties) -> None:
        if new.get(_CONCURRENCY) is not None:
            client.put_function_concurrency(FunctionName=name, **{_CONCURRENCY: int(new[_CONCURRENCY])})
        elif old.get(_CONCURRENCY) is not None:
            client.delete_function_concurrency(FunctionName=name)


def _zipped(source: str, runtime: str) -> bytes:
    """Return the zip file that CloudFormation makes of source text: one module with the name ``index``."""
    if not runtime.startswith(("python", "nodejs")):
        raise UnfitError("#/Code/ZipFile: is for the runtimes of Python and Node.js only")
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        # The time is not that of the moment, so that the same text has the same hash.
        entry = zipfile.ZipInfo("index.py" if runtime.startswith("python") else "index.js")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    return body.getvalue()


@dataclass(frozen=True)
class _Permission(Kind):
    """A statement of a function's policy; the name that is made up for it is its id."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        request = self.parameters(client, self.create, {**properties, "StatementId": name})
        call(client, self.create, request)
        return Made(name, {})

    def gone(self, client: Any, made: Made, properties: Properties) -> None:
        client.remove_permission(FunctionName=properties["FunctionName"], StatementId=made.physical_id)


@dataclass(frozen=True)
class _Version(Kind):
    """A published version, whose name is its number."""

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - the ARN says both
        name, _, number = made.physical_id.rpartition(":")
        client.delete_function(FunctionName=name, Qualifier=number)


@dataclass(frozen=True)
class _Alias(Kind):
    """An alias of a function."""

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - the ARN says both
        name, _, alias = made.physical_id.rpartition(":")
        client.delete_alias(FunctionName=name, Name=alias)

    def name_of(self, made: Made) -> str:
        return made.physical_id.rpartition(":")[2]


_NAME = "FunctionName"
KINDS = (
    _Function(
        type="AWS::Lambda::Function",
        service="lambda",
        create="CreateFunction",
        delete="DeleteFunction",
        name=_NAME,
        ref=_NAME,
        attributes={"Arn": "FunctionArn"},
        longest_name=64,
    ),
    _Permission(
        type="AWS::Lambda::Permission",
        service="lambda",
        create="AddPermission",
        delete="RemovePermission",
        name="",
        ref="StatementId",
        longest_name=100,
    ),
    _Version(
        type="AWS::Lambda::Version",
        service="lambda",
        create="PublishVersion",
        delete="DeleteFunction",
        name="",
        ref="FunctionArn",
        attributes={"Version": "Version", "FunctionArn": "FunctionArn"},
    ),
    _Alias(
        type="AWS::Lambda::Alias",
        service="lambda",
        create="CreateAlias",
        delete="DeleteAlias",
        name="Name",
        ref="AliasArn",
        attributes={"AliasArn": "AliasArn"},
        update="UpdateAlias",
    ),
)
