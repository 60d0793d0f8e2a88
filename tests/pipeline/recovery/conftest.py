"""An environment to lose and one to come back in: two regions of one endpoint, which know nothing of each other."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from localmaker.daemon import EndpointHandle, running_endpoint
from pipeline.aws.clients import Aws
from pipeline.settings.environment import load_settings

PROJECTS = (f"lost-{number}" for number in itertools.count())
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory) -> Iterator[EndpointHandle]:
    with running_endpoint(tmp_path_factory.mktemp("state")) as handle:
        yield handle


@pytest.fixture
def aws(endpoint) -> Iterator[Aws]:
    """Clients of a new environment, with its bucket and its group in the registry."""
    variables = {**endpoint.environment(), "BIKESHARE_PROJECT": next(PROJECTS)}
    with mock.patch.dict(os.environ, variables):
        found = Aws(load_settings("local"))
        found.s3.create_bucket(Bucket=found.settings.artifacts_bucket)
        found.sagemaker.create_model_package_group(ModelPackageGroupName=found.settings.model_package_group_name)
        yield found


@pytest.fixture
def elsewhere(aws) -> Aws:
    """Clients of the same environment in another region, where its group is empty."""
    with mock.patch.dict(os.environ, {"BIKESHARE_REGION": "eu-west-1"}):
        found = Aws(load_settings("local"))
    found.sagemaker.create_model_package_group(ModelPackageGroupName=found.settings.model_package_group_name)
    return found


@pytest.fixture
def register(aws) -> Callable[..., int]:
    """Register a version with an archive and an evaluation of its own; its number."""

    def add(status: str = "PendingManualApproval", reason: str = "", **properties: str) -> int:
        bucket, folder = aws.settings.artifacts_bucket, f"models/{os.urandom(4).hex()}"
        for name in ("model.tar.gz", "evaluation.json"):
            aws.s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=f"{folder}/{name}".encode())
        source = {"ContentType": "application/json", "S3Uri": f"s3://{bucket}/{folder}/evaluation.json"}
        request: Any = {
            "ModelPackageGroupName": aws.settings.model_package_group_name,
            "ModelApprovalStatus": "PendingManualApproval",
            "ModelPackageDescription": "A model",
            "CustomerMetadataProperties": {"scores-new-rows": "yes", "profile": "forecast", **properties},
            "ModelMetrics": {"ModelQuality": {"Statistics": source}},
            "DriftCheckBaselines": {"ModelQuality": {"Statistics": source}},
            "InferenceSpecification": {
                "Containers": [{"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/{folder}/model.tar.gz"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        }
        arn = aws.sagemaker.create_model_package(**request)["ModelPackageArn"]
        if status != "PendingManualApproval":
            aws.sagemaker.update_model_package(
                ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=reason or "So it is"
            )
        return int(arn.rpartition("/")[2])

    return add
