"""Lambda functions uploaded to the endpoint with CreateFunction, unpacked to run locally."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

from moto.backends import get_backend

from localmaker.services.lambda_.table import FunctionTableError, LocalFunction, function_name


def find_uploaded(arn: str, region: str) -> Any:
    """Find moto's object of an uploaded function; None if there is none of that name.

    Args:
        arn: of the function, or its name.
        region: where it was created, if only the name is given.
    """
    lambda_backends: Any = get_backend("lambda")  # loads moto's Lambda, which few endpoints need
    name, parts = function_name(arn), arn.split(":")
    account = parts[4] if len(parts) > 6 else next(iter(lambda_backends), "123456789012")  # noqa: PLR2004
    backend = lambda_backends[account][parts[3] if len(parts) > 6 else region]  # noqa: PLR2004
    return next((item for item in backend.list_functions() if item.function_name == name), None)


def unpack_uploaded(arn: str, region: str, directory: Path) -> LocalFunction | None:
    """Unpack the code of an uploaded function; None if there is none of that name.

    Args:
        arn: of the function.
        region: where it was created, if only the name is given.
        directory: for the code; created if missing.

    Raises:
        FunctionTableError: it is not a Python function in a zip file.
    """
    name = function_name(arn)
    uploaded = find_uploaded(arn, region)
    if uploaded is None:
        return None
    module, _, attribute = str(uploaded.handler or "").rpartition(".")
    if uploaded.package_type != "Zip" or not str(uploaded.run_time or "").startswith("python") or not module:
        raise FunctionTableError(
            f"Lambda function [{name}] has package type {uploaded.package_type} and runtime {uploaded.run_time}; only "
            "Python functions in a zip file run here"
        )
    # extractall never writes outside the directory, whatever the members' names are.
    with zipfile.ZipFile(io.BytesIO(uploaded.code_bytes)) as archive:
        archive.extractall(directory)
    return LocalFunction(
        name=name,
        file=directory / f"{module.replace('.', '/')}.py",
        attribute=attribute,
        timeout_seconds=int(uploaded.timeout),
        python=sys.executable,
        environment={
            "LAMBDA_TASK_ROOT": str(directory),
            **{str(key): str(value) for key, value in uploaded.environment_vars.items()},
        },
        root=directory,
        role=str(uploaded.role),
    )
