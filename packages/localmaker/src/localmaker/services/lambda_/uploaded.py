"""Lambda functions uploaded to the endpoint with CreateFunction, unpacked to run locally."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError

from localmaker.services.lambda_.table import FunctionTableError, LocalFunction, function_name

# "Lambda quotas" in the developer guide: the size of a deployment package, unzipped.
LARGEST_CODE_BYTES = 250 << 20
#: Where moto's object of a function has what moto drops of its configuration; see :mod:`.functions`.
SETTINGS_ATTRIBUTE = "localmaker_settings"


def find_uploaded(arn: str, region: str) -> Any:
    """Find moto's object of an uploaded function, in the version or behind the alias that the ARN names.

    Args:
        arn: of the function, or its name.
        region: where it was created, if only the name is given.

    Returns:
        None if there is no such function, version or alias.
    """
    lambda_backends: Any = get_backend("lambda")  # loads moto's Lambda, which few endpoints need
    parts = arn.split(":")
    account = parts[4] if len(parts) > 6 else next(iter(lambda_backends), "123456789012")  # noqa: PLR2004
    backend = lambda_backends[account][parts[3] if len(parts) > 6 else region]  # noqa: PLR2004
    try:
        return backend.get_function(function_name(arn), qualifier_of(arn))
    except JsonRESTError:  # moto knows no such function, version or alias
        return None


def settings_of(uploaded: Any) -> dict[str, Any]:
    """Return what moto drops of a function's configuration."""
    settings: dict[str, Any] = getattr(uploaded, SETTINGS_ATTRIBUTE, {})
    return settings


def function_policy(arn: str, region: str) -> str | None:
    """Return the policy of an uploaded function as text; None if there is no such function, or it has none."""
    uploaded = find_uploaded(arn, region)
    statements = uploaded.policy.statements if uploaded is not None else []
    return json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else None


def qualifier_of(arn: str) -> str | None:
    """Return the version or alias in the ARN of a function; None if it names none."""
    parts = arn.split(":")
    return parts[7] if len(parts) > 7 else None  # noqa: PLR2004


def describe_uploaded(arn: str, region: str) -> LocalFunction | None:
    """Return an uploaded function; None if there is none of that name, version or alias.

    Args:
        arn: of the function.
        region: where it was created, if only the name is given.

    Raises:
        FunctionTableError: it is not a Python function in a zip file.
    """
    uploaded = find_uploaded(arn, region)
    if uploaded is None:
        return None
    name, handler, runtime = function_name(arn), str(uploaded.handler or ""), str(uploaded.run_time or "")
    module, _, attribute = handler.rpartition(".")
    if uploaded.package_type != "Zip" or not runtime.startswith("python") or not module:
        raise FunctionTableError(
            f"Lambda function [{name}] has package type {uploaded.package_type} and runtime {uploaded.run_time}; only "
            "Python functions in a zip file run here"
        )
    return LocalFunction(
        name=name,
        file=Path(f"{module.replace('.', '/')}.py"),
        attribute=attribute,
        timeout_seconds=int(uploaded.timeout),
        environment={str(key): str(value) for key, value in uploaded.environment_vars.items()},
        archive=uploaded.code_bytes,
        # Regions have functions of their own, which may have the same name.
        digest=f"{uploaded.region} {uploaded.code_sha_256}",
        modified=str(uploaded.last_modified),
        role=str(uploaded.role),
        runtime=runtime,
        handler=handler,
        version=str(uploaded.version),
        memory_mb=int(uploaded.memory_size),
        storage_mb=int(uploaded.ephemeral_storage),
        log_group=settings_of(uploaded).get("LoggingConfig", {}).get("LogGroup", ""),
        in_vpc=bool((uploaded.vpc_config or {}).get("SubnetIds")),
    )


def unpack(function: LocalFunction, directory: Path) -> None:
    """Unpack the code of an uploaded function.

    Args:
        directory: created if missing.

    Raises:
        FunctionTableError: it is larger than Lambda allows.
    """
    with zipfile.ZipFile(io.BytesIO(function.archive)) as archive:
        if sum(member.file_size for member in archive.infolist()) > LARGEST_CODE_BYTES:
            raise FunctionTableError(f"Lambda function [{function.name}]: its unzipped code is larger than 250 MiB")
        # extractall never writes outside the directory, whatever the members' names are.
        archive.extractall(directory)
