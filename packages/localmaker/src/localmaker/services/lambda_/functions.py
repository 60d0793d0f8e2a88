"""Functions: what moto drops of their configuration and code, and what it accepts and Lambda refuses.

Sources: "Lambda quotas", "Working with environment variables" and the API reference of Lambda; the messages are
Lambda's own.
"""

from __future__ import annotations

import copy
import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.iam.acting import Acting
from localmaker.services.lambda_.configuration import check_configuration, invalid, role_needs
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.lambda_.uploaded import LARGEST_CODE_BYTES, SETTINGS_ATTRIBUTE, settings_of

# Moto has no attributes for them.
_SETTINGS = ("DeadLetterConfig", "LoggingConfig")
_S3_PLACE = ("S3Bucket", "S3Key", "S3ObjectVersion")


@operation("lambda", "CreateFunction")
def create_function(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Check configuration, role and code, then let moto keep the function."""
    check_configuration(request)
    _check_role(request, request["Role"], request["FunctionName"], context)
    code = _code(request["Code"], context)
    answer = context.ask_moto({**request, "Code": code, "Publish": False, **_network(request)})
    function = _find(request["FunctionName"], None, context)
    _remember(function, request)
    return _described(answer, _published(function, request, context))


@operation("lambda", "UpdateFunctionCode")
def update_function_code(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Replace the code by that of a zip file, given or in S3."""
    function = _find(request["FunctionName"], None, context)
    place = {name: request[name] for name in (*_S3_PLACE, "ZipFile", "ImageUri") if name in request}
    code = _code(place, context)
    before = function.code_or_config_updated, function.code_sha_256, function.architectures
    if request.get("DryRun"):
        answer = context.ask_moto(request)
        function.code_or_config_updated = before[0]
        return _described(answer, function)
    answer = context.ask_moto({"FunctionName": request["FunctionName"], **code})
    function.architectures = request.get("Architectures", function.architectures)
    if before[1:] == (function.code_sha_256, function.architectures):
        function.code_or_config_updated = before[0]  # so PublishVersion makes no new version of the same code
    _touch(function)
    return _described(answer, _published(function, request, context))


@operation("lambda", "UpdateFunctionConfiguration")
def update_function_configuration(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change what is given of the configuration."""
    check_configuration(request)
    function = _find(request["FunctionName"], None, context)
    if "Role" in request or "VpcConfig" in request or "DeadLetterConfig" in request:
        _check_role(request, request.get("Role", function.role), function.function_name, context)
    given = dict(request)
    if "Environment" in given:
        given["Environment"] = {"Variables": {}, **given["Environment"]}
    answer = context.ask_moto({**given, **_network(request)})
    if "EphemeralStorage" in request:
        function.ephemeral_storage = request["EphemeralStorage"]["Size"]
    function.tracing_config = request.get("TracingConfig", function.tracing_config)
    function.kms_key_arn = request.get("KMSKeyArn", function.kms_key_arn)
    _remember(function, request)
    _touch(function)
    return _described(answer, function)


@operation("lambda", "DeleteFunction")
def delete_function(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Remove a function or a version, and end the processes that wait for its calls."""
    name = _find(request["FunctionName"], request.get("Qualifier"), context).function_name
    answer = context.ask_moto(request)
    context.service(RunningFunctions).idle.end(name)
    return answer


@operation("lambda", "GetFunction")
def get_function(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a function, its code and tags."""
    answer = context.ask_moto(request)
    function = _find(request["FunctionName"], request.get("Qualifier"), context)
    return {**answer, "Configuration": _described(answer["Configuration"], function)}


@operation("lambda", "GetFunctionConfiguration")
def get_function_configuration(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a function."""
    return _described(context.ask_moto(request), _find(request["FunctionName"], request.get("Qualifier"), context))


@operation("lambda", "PutFunctionEventInvokeConfig")
def put_function_event_invoke_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Replace how a function's events are processed; moto keeps the first settings for ever."""
    _find(request["FunctionName"], request.get("Qualifier"), context).event_invoke_config = []
    return context.ask_moto(request)


@operation("lambda", "UpdateFunctionEventInvokeConfig")
def update_function_event_invoke_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Change what is given of how a function's events are processed."""
    function = _find(request["FunctionName"], request.get("Qualifier"), context)
    before: Mapping[str, Any] = next((one.config for one in function.event_invoke_config), {})
    function.event_invoke_config = []
    return context.ask_moto({**before, **request})


@operation("lambda", "AddPermission")
def add_permission(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Add a statement to a function's policy, whose ids are unique."""
    function = _find(request["FunctionName"], request.get("Qualifier"), context)
    if any(one.get("Sid") == request["StatementId"] for one in function.policy.statements):
        raise AwsError(
            "ResourceConflictException",
            f"The statement id ({request['StatementId']}) provided already exists. Please provide a new statement id, "
            "or remove the existing statement.",
            409,
        )
    return context.ask_moto(request)


def _find(name: str, qualifier: str | None, context: RequestContext) -> Any:
    """Return moto's object of a function; moto's refusal goes to the client."""
    backend: Any = get_backend("lambda")
    try:
        return backend[context.account_id][context.region].get_function(name, qualifier)
    except JsonRESTError as error:
        raise AwsError(error.error_type, error.message, error.code) from error


def _published(function: Any, request: Mapping[str, Any], context: RequestContext) -> Any:
    """Return the version that a request publishes, or the function itself."""
    if not request.get("Publish"):
        return function
    backend: Any = get_backend("lambda")
    return backend[context.account_id][context.region].publish_version(function.function_name)


def _described(answer: Mapping[str, Any], function: Any) -> dict[str, Any]:
    """Return moto's description with what it lacks, of the version that is meant."""
    settings = settings_of(function)
    logging = {"LogFormat": "Text", "LogGroup": function.logs_group_name, **settings.get("LoggingConfig", {})}
    return {
        **answer,
        "Architectures": function.architectures,
        "EphemeralStorage": {"Size": function.ephemeral_storage},
        "LastModified": function.last_modified,
        "TracingConfig": function.tracing_config,
        "Version": str(function.version),
        **settings,
        "LoggingConfig": logging,
    }


def _remember(function: Any, request: Mapping[str, Any]) -> None:
    settings = {**settings_of(function), **{name: request[name] for name in _SETTINGS if name in request}}
    if not settings.get("DeadLetterConfig", {}).get("TargetArn"):
        settings.pop("DeadLetterConfig", None)
    # A new one each time: the function's versions keep theirs.
    setattr(function, SETTINGS_ATTRIBUTE, copy.deepcopy(settings))


def _touch(function: Any) -> None:
    function.last_modified = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _network(request: Mapping[str, Any]) -> dict[str, Any]:
    network = request.get("VpcConfig")
    return {} if network is None else {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], **network}}


def _check_role(request: Mapping[str, Any], role: str, name: str, context: RequestContext) -> None:
    arn = f"arn:aws:lambda:{context.region}:{context.account_id}:function:{name.rpartition('function:')[2]}"
    acting = context.service(Acting)
    try:
        acting.check_function_role(role, arn)
    except AwsError as error:
        raise invalid("The role defined for the function cannot be assumed by Lambda.") from error
    for need in role_needs(request, context.region, context.account_id):
        try:
            acting.check_call(role, arn, need.call)
        except AwsError as error:
            raise need.refusal() from error


def _code(code: Mapping[str, Any], context: RequestContext) -> dict[str, Any]:
    """Return the code with the content of a zip file that is in S3.

    Raises:
        AwsError: InvalidParameterValueException if there is none, or it is no zip file of an acceptable size.
    """
    if "S3Bucket" in code and "S3Key" in code:
        content = _from_s3(code, context)
    elif "ZipFile" in code:
        content = code["ZipFile"]
    else:
        return dict(code)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise invalid("Could not unzip uploaded file. Please check your file, then try to upload again.") from error
    if size > LARGEST_CODE_BYTES:
        raise invalid(f"Unzipped size must be smaller than {LARGEST_CODE_BYTES} bytes")
    return {"ZipFile": content}


def _from_s3(code: Mapping[str, Any], context: RequestContext) -> bytes:
    version = {"VersionId": code["S3ObjectVersion"]} if code.get("S3ObjectVersion") else {}
    s3 = context.endpoint.client("s3", context.region)
    try:
        content: bytes = s3.get_object(Bucket=code["S3Bucket"], Key=code["S3Key"], **version)["Body"].read()
    except ClientError as error:
        found = error.response["Error"]
        raise invalid(
            f"Error occurred while GetObject. S3 Error Code: {found['Code']}. S3 Error Message: {found['Message']}"
        ) from error
    return content
