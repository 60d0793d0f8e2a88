"""Ended processing and training jobs are deleted with their records, files and tags."""

import uuid

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.jobs.conftest import BUCKET, RemoteJobs

from localmaker.daemon import running_endpoint
from localmaker.services.sagemaker.jobs.kinds import JobKind

KINDS = [JobKind.PROCESSING, JobKind.TRAINING]
NOT_FOUND = {JobKind.PROCESSING: "Could not find requested job", JobKind.TRAINING: "Requested resource not found"}


def request(remote, kind, command, **fields):
    """Create a job of the kind that runs a shell command."""
    if kind is JobKind.PROCESSING:
        return remote.processing_request(command, outputs=(), **fields)
    found = remote.training_request(**fields)
    found["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "-c", command]
    return found


def delete(remote, kind, name):
    return getattr(remote.sagemaker, f"delete_{kind.lower()}_job")(**{kind.name_field: name})


def listed(remote, kind, name):
    answer = getattr(remote.sagemaker, f"list_{kind.lower()}_jobs")(NameContains=name)
    return answer[f"{kind}JobSummaries"]


@pytest.mark.parametrize("kind", KINDS)
def test_ended_job_is_deleted_with_its_files_and_tags(remote, endpoint, kind):
    wanted = request(remote, kind, "echo first", Tags=[{"Key": "a", "Value": "b"}])
    description = remote.run(kind, wanted)
    name, arn = description[kind.name_field], description[kind.arn_field]
    assert list(endpoint.state_dir.rglob(f"jobs/*/{name}/log"))
    assert set(delete(remote, kind, name)) == {"ResponseMetadata"}
    with pytest.raises(ClientError, match=NOT_FOUND[kind]):
        remote.describe(kind, name)
    with pytest.raises(ClientError, match=NOT_FOUND[kind]):
        remote.sagemaker.list_tags(ResourceArn=arn)
    assert listed(remote, kind, name) == []
    assert not list(endpoint.state_dir.rglob(name))

    again = remote.run(kind, request(remote, kind, "echo second") | {kind.name_field: name})
    assert again[kind.arn_field] == arn
    assert remote.sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    (log,) = endpoint.state_dir.rglob(f"jobs/*/{name}/log")
    assert log.read_text() == "second\n"


@pytest.mark.parametrize("kind", KINDS)
def test_running_job_is_in_use(remote, kind, eventually):
    wanted = request(remote, kind, "trap 'sleep 3; exit' TERM; echo up; while :; do sleep 0.05; done")
    name = wanted[kind.name_field]
    remote.start(kind, wanted)
    eventually(lambda: "up" in remote.log(kind, name))
    with pytest.raises(remote.sagemaker.exceptions.ResourceInUse, match="is in status InProgress") as caught:
        delete(remote, kind, name)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    getattr(remote.sagemaker, f"stop_{kind.lower()}_job")(**{kind.name_field: name})
    with pytest.raises(remote.sagemaker.exceptions.ResourceInUse, match="is in status Stopping"):
        delete(remote, kind, name)
    assert len(listed(remote, kind, name)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_absent_job_is_not_found(remote, kind):
    with pytest.raises(remote.sagemaker.exceptions.ResourceNotFound) as caught:
        delete(remote, kind, "absent")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_deleted_jobs_stay_deleted_when_the_endpoint_starts_again(tmp_path, image):
    with running_endpoint(tmp_path) as handle:
        remote = RemoteJobs(handle.url, uuid.uuid4().hex[:8])
        remote.s3.create_bucket(Bucket=BUCKET)
        kept, gone = (
            remote.run(JobKind.PROCESSING, request(remote, JobKind.PROCESSING, "true"))["ProcessingJobName"]
            for _ in range(2)
        )
        delete(remote, JobKind.PROCESSING, gone)
    with running_endpoint(tmp_path) as handle:
        remote = RemoteJobs(handle.url, uuid.uuid4().hex[:8])
        assert [job["ProcessingJobName"] for job in listed(remote, JobKind.PROCESSING, "job-")] == [kept]
