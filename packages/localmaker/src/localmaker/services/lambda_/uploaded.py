"""The code of Lambda functions that CreateFunction uploaded to the endpoint, unpacked to be run here."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

from localmaker.services.lambda_.table import FunctionTableError, LocalFunction, function_name


def find_uploaded(arn: str, region: str) -> Any:
    """What moto keeps of a function that was uploaded; None when there is none of that name.

    Args:
        arn: of the function, or its name.
        region: where it was created, when the ARN does not say.
    """
    from moto.awslambda.models import lambda_backends  # an endpoint without Lambda steps does not pay for it

    name, parts = function_name(arn), arn.split(":")
    account = parts[4] if len(parts) > 6 else next(iter(lambda_backends), "123456789012")  # noqa: PLR2004
    backend = lambda_backends[account][parts[3] if len(parts) > 6 else region]  # noqa: PLR2004
    return next((item for item in backend.list_functions() if item.function_name == name), None)


def unpack_uploaded(arn: str, region: str, directory: Path) -> LocalFunction | None:
    """A function that was uploaded, with its code in a directory; None when there is none of that name.

    Args:
        arn: of the function.
        region: where it was created, when the ARN does not say.
        directory: gets the code; it need not exist.

    Raises:
        FunctionTableError: it is no Python function in a zip file.
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
    # extractall keeps members with ".." or absolute names inside.
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
    )
