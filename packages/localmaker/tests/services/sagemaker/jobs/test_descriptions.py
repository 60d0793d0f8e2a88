"""Describe responses: SageMaker's defaults, warm pools, and the changes of UpdateTrainingJob."""

import itertools

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.jobs.conftest import BUCKET

from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.TRAINING
_volumes = itertools.count(100)


def job(remote, keep=0, **fields):
    """Run a training job that does nothing, with a volume size of its own, so that no other test's pool matches."""
    request = remote.training_request(**fields)
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["true"]
    request["ResourceConfig"] |= {"KeepAlivePeriodInSeconds": keep, "VolumeSizeInGB": next(_volumes)}
    return request


def again(remote, request, **resources):
    """Run the same job under another name."""
    return {
        **request,
        "TrainingJobName": remote.name(),
        "ResourceConfig": {**request["ResourceConfig"], **resources},
    }


def pool(remote, name):
    return remote.describe(KIND, name)["WarmPoolStatus"]


def pools(remote, status):
    listed = remote.sagemaker.get_paginator("list_training_jobs").paginate(WarmPoolStatusEquals=status)
    return {
        entry["TrainingJobName"]: entry["WarmPoolStatus"] for page in listed for entry in page["TrainingJobSummaries"]
    }


def test_processing_defaults(remote):
    uri = remote.put("descriptions/data", "1")
    request = remote.processing_request("cat /opt/ml/config/processingjobconfig.json", inputs={"a": uri})
    del request["ProcessingInputs"][0]["S3Input"]["S3InputMode"]
    description = remote.run(JobKind.PROCESSING, request)
    (entry,) = description["ProcessingInputs"]
    assert entry["AppManaged"] is False
    assert entry["S3Input"]["S3InputMode"] == "File"
    assert entry["S3Input"]["S3DataDistributionType"] == "FullyReplicated"
    assert entry["S3Input"]["S3CompressionType"] == "None"
    assert description["ProcessingOutputConfig"]["Outputs"][0]["AppManaged"] is False
    assert description["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    seen = remote.log(JobKind.PROCESSING, description["ProcessingJobName"])
    assert '"ContainerArguments": null' in seen
    assert '"S3DataDistributionType": "FullyReplicated"' in seen


def test_training_defaults(remote):
    uri = remote.put("descriptions/data", "1")
    request = job(remote, channels={"a": uri})
    del request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"]
    description = remote.run(KIND, request)
    (channel,) = description["InputDataConfig"]
    assert channel["CompressionType"] == channel["RecordWrapperType"] == "None"
    assert channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] == "FullyReplicated"
    assert description["OutputDataConfig"] == {
        "S3OutputPath": "s3://artifacts/models",
        "KmsKeyId": "",
        "CompressionType": "GZIP",
    }
    assert description["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] is False
    assert "WarmPoolStatus" not in description


def test_transform_defaults(remote):
    model = remote.create_model({"code/inference.py": "def model_fn(_): pass\ndef transform_fn(*_): return ''"})
    request = remote.transform_request(model, remote.put("descriptions/data", "1"))
    del request["TransformInput"]["SplitType"], request["TransformOutput"]["AssembleWith"]
    description = remote.run(JobKind.TRANSFORM, {**request, "DataProcessing": {"InputFilter": "$"}})
    assert description["TransformInput"]["SplitType"] == description["TransformInput"]["CompressionType"] == "None"
    assert description["TransformOutput"]["AssembleWith"] == "None"
    assert description["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}


def test_warm_pool_waits_for_a_job_of_its_kind(remote):
    first = job(remote, keep=600)
    assert remote.run(KIND, first)["WarmPoolStatus"]["Status"] == "Available"
    assert first["TrainingJobName"] in pools(remote, "Available")
    remote.run(KIND, again(remote, first, InstanceCount=2, KeepAlivePeriodInSeconds=0))
    assert pool(remote, first["TrainingJobName"])["Status"] == "Available"

    second = again(remote, first)
    assert remote.run(KIND, second)["WarmPoolStatus"]["Status"] == "Available"
    status = pool(remote, first["TrainingJobName"])
    assert status["Status"] == "Reused"
    assert status["ReusedByJob"] == second["TrainingJobName"]
    assert status["ResourceRetainedBillableTimeInSeconds"] >= 0
    assert first["TrainingJobName"] in pools(remote, "Reused")


def test_running_job_uses_its_pool(remote, eventually):
    request = job(remote, keep=600)
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "-c", "echo up; sleep 60 & wait"]
    name = request["TrainingJobName"]
    remote.start(KIND, request)
    eventually(lambda: "up" in remote.log(KIND, name))
    assert pool(remote, name) == {"Status": "InUse"}
    remote.sagemaker.update_training_job(
        TrainingJobName=name, ProfilerConfig={"DisableProfiler": True}, ResourceConfig={"KeepAlivePeriodInSeconds": 60}
    )
    remote.sagemaker.stop_training_job(TrainingJobName=name)
    description = remote.wait(KIND, name)
    assert description["WarmPoolStatus"]["Status"] == "Available"
    assert description["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 60
    assert description["ProfilerConfig"] == {"DisableProfiler": True}


def test_pool_whose_time_is_up_is_terminated(remote, eventually):
    request = job(remote, keep=1)
    remote.run(KIND, request)
    eventually(lambda: pool(remote, request["TrainingJobName"])["Status"] == "Terminated")
    remote.sagemaker.delete_training_job(TrainingJobName=request["TrainingJobName"])


def test_available_pool_keeps_its_job_from_being_deleted_until_it_is_ended(remote):
    request = job(remote, keep=600)
    arn = remote.run(KIND, request)["TrainingJobArn"]
    name = request["TrainingJobName"]
    with pytest.raises(remote.sagemaker.exceptions.ResourceInUse, match="warm pool"):
        remote.sagemaker.delete_training_job(TrainingJobName=name)
    answer = remote.sagemaker.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    assert answer["TrainingJobArn"] == arn
    assert pool(remote, name)["Status"] == "Terminated"
    with pytest.raises(ClientError, match=r"ValidationException.*is not Available"):
        remote.sagemaker.update_training_job(TrainingJobName=name, ResourceConfig={"KeepAlivePeriodInSeconds": 9})
    with pytest.raises(ClientError, match=r"ValidationException.*in status Completed"):
        remote.sagemaker.update_training_job(TrainingJobName=name, RemoteDebugConfig={"EnableRemoteDebug": True})
    remote.sagemaker.delete_training_job(TrainingJobName=name)


def test_update_of_an_absent_job(remote):
    with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found"):
        remote.sagemaker.update_training_job(TrainingJobName="absent", ResourceConfig={"KeepAlivePeriodInSeconds": 0})


def test_outputs_are_encrypted_with_the_key_that_is_asked_for(remote):
    key = remote.client("kms").create_key()["KeyMetadata"]["Arn"]

    def keys_of(prefix):
        heads = [remote.s3.head_object(Bucket=BUCKET, Key=prefix + name) for name in remote.keys(prefix)]
        return [(head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")) for head in heads]

    processing = remote.processing_request("echo 1 > /opt/ml/processing/output/out/a")
    processing["ProcessingOutputConfig"]["KmsKeyId"] = key
    name = remote.run(JobKind.PROCESSING, processing)["ProcessingJobName"]
    assert keys_of(f"{name}/out/") == [("aws:kms", key)]

    training = job(remote)
    training["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/sh", "-c", "echo 1 > /opt/ml/model/a"]
    training["OutputDataConfig"]["KmsKeyId"] = key
    assert remote.run(KIND, training)["OutputDataConfig"]["KmsKeyId"] == key
    assert keys_of(f"models/{training['TrainingJobName']}/output/") == [("aws:kms", key)]

    model = remote.create_model({"code/inference.py": "def model_fn(_): pass\ndef transform_fn(*_): return ''"})
    transform = remote.transform_request(model, remote.put("descriptions/data", "1"))
    transform["TransformOutput"]["KmsKeyId"] = key
    name = remote.run(JobKind.TRANSFORM, transform)["TransformJobName"]
    assert keys_of(f"{name}/out/") == [("aws:kms", key)]
