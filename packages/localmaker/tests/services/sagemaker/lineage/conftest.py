"""Jobs and packages on the running endpoint whose lineage is asked for."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from tests.services.sagemaker.jobs.conftest import BUCKET, IMAGE, RemoteJobs

from localmaker.daemon import EndpointHandle
from localmaker.images.environments import JobEnvironment
from localmaker.services.sagemaker.jobs.kinds import JobKind

PROGRAM = "open('/opt/ml/model/m', 'w').write('1'); print('loss=0.5;')"


class Workflow:
    """What a run leaves: a processing job, a training job that reads its output, and a version of the model."""

    def __init__(self, jobs: RemoteJobs, name: str) -> None:
        self.name = name
        self.raw = jobs.put(f"{name}/raw/rows.csv", "1\n")
        request = jobs.processing_request(
            "cp /opt/ml/processing/input/raw/* /opt/ml/processing/output/out", inputs={"raw": self.raw}
        )
        self.processing = jobs.run(JobKind.PROCESSING, request)
        self.clean: str = request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
        request = jobs.training_request({"train.py": PROGRAM}, channels={"train": self.clean})
        request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=(.*?);"}]
        self.training = jobs.run(JobKind.TRAINING, request)
        self.model: str = self.training["ModelArtifacts"]["S3ModelArtifacts"]
        client = jobs.sagemaker
        self.group: str = client.create_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
        self.package: str = client.create_model_package(
            ModelPackageGroupName=name,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": IMAGE, "ModelDataUrl": self.model}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]


class Lineage:
    """Questions about lineage."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def artifact(self, uri: str) -> dict[str, Any]:
        """Return the only artifact of a source."""
        (found,) = self.client.list_artifacts(SourceUri=uri)["ArtifactSummaries"]
        return found

    def component(self, job_arn: str) -> dict[str, Any]:
        """Return the only trial component of a job."""
        (found,) = self.client.list_trial_components(SourceArn=job_arn)["TrialComponentSummaries"]
        return found

    def around(self, arn: str) -> set[tuple[str, str, str, str]]:
        """Return (direction, type, association, source or name) of what an entity is associated with."""
        found = set()
        for direction, own, other in (("in", "Destination", "Source"), ("out", "Source", "Destination")):
            for one in self.client.list_associations(**{f"{own}Arn": arn}, MaxResults=100)["AssociationSummaries"]:
                name = (
                    one.get(f"{other}Name")
                    or self.client.describe_artifact(ArtifactArn=one[f"{other}Arn"])["Source"]["SourceUri"]
                )
                found.add((direction, one[f"{other}Type"], one["AssociationType"], name))
        return found


@pytest.fixture(scope="session")
def workflow(endpoint: EndpointHandle, image: JobEnvironment) -> Workflow:
    name = f"l{uuid.uuid4().hex[:8]}"
    jobs = RemoteJobs(endpoint.url, name)
    jobs.s3.create_bucket(Bucket=BUCKET)
    return Workflow(jobs, name)


@pytest.fixture
def lineage(endpoint: EndpointHandle) -> Lineage:
    return Lineage(endpoint.client("sagemaker"))
