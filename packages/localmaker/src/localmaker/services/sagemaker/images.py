"""Images of SageMaker Studio and their versions: none can be made here, so none exists.

Programs ask whether there is one and go on without it: they expect ResourceNotFound.
"""

from __future__ import annotations

from typing import Any, NoReturn

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation


@operation("sagemaker", "DescribeImage")
def describe_image(request: dict[str, Any], _context: RequestContext) -> NoReturn:
    """Say that the image does not exist."""
    raise _missing("Image", request)


@operation("sagemaker", "DescribeImageVersion")
def describe_image_version(request: dict[str, Any], _context: RequestContext) -> NoReturn:
    """Say that the version does not exist."""
    version = request.get("Version", request.get("Alias"))
    raise _missing("Latest ImageVersion" if version is None else f"ImageVersion {version}", request)


def _missing(what: str, request: dict[str, Any]) -> AwsError:
    name = request["ImageName"]
    return AwsError(
        "ResourceNotFound", f"{what} with ImageName {name} does not exist. Please provide a valid ImageName."
    )
