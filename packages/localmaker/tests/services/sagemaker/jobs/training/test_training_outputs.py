"""What a training job stores, at its end and while it runs."""

import json

from tests.services.sagemaker.jobs.conftest import TRAINING_HOST

from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.TRAINING


def train(remote, command, channels=None, **fields):
    """Return the description, log and keys below the output path of a job that runs a shell command."""
    request = remote.training_request(channels=channels, **fields)
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/bash", "-c", command]
    description = remote.run(KIND, request)
    name = request["TrainingJobName"]
    return description, remote.log(KIND, name), remote.keys(f"models/{name}/output/")


def test_empty_folders_make_no_archives(remote):
    description, _, keys = train(remote, "mkdir /opt/ml/model/empty; echo done")
    name = description["TrainingJobName"]
    assert keys == []
    uri = f"s3://artifacts/models/{name}/output/model.tar.gz"
    assert description["ModelArtifacts"] == {"S3ModelArtifacts": uri}


def test_failed_job_keeps_its_output_and_no_model(remote):
    _, _, keys = train(remote, "echo 1 > /opt/ml/model/m; echo 1 > /opt/ml/output/data/d; exit 1")
    assert keys == ["output.tar.gz"]


def test_checkpoints_have_the_folder_that_was_asked_for(remote):
    remote.put("outputs/checkpoints/deep/old", "old")
    remote.put("outputs/checkpoints-of-others", "")
    configuration = {"S3Uri": "s3://artifacts/outputs/checkpoints", "LocalPath": "/opt/ml/some/where"}
    command = (
        "cd /opt/ml/some/where; find . -type f; cat /opt/ml/input/config/checkpointconfig.json; echo new > deep/new"
    )
    _, log, _ = train(remote, command, CheckpointConfig=configuration)
    found, written = log.splitlines()
    assert found == "./deep/old"
    if detect_isolation() is not Isolation.NONE:
        assert json.loads(written) == configuration
    assert remote.keys("outputs/checkpoints/") == ["deep/new", "deep/old"]


def test_checkpoints_that_a_job_deletes_are_deleted(remote):
    for name in ("kept", "old", "older"):
        remote.put(f"outputs/deleted/{name}", name)
    configuration = {"S3Uri": "s3://artifacts/outputs/deleted/"}
    train(remote, "cd /opt/ml/checkpoints; rm old older; echo new > new", CheckpointConfig=configuration)
    assert remote.keys("outputs/deleted/") == ["kept", "new"]


def test_checkpoint_that_another_instance_has_stays(remote):
    remote.put("outputs/two/shared", "")
    request = remote.training_request(CheckpointConfig={"S3Uri": "s3://artifacts/outputs/two"})
    request["ResourceConfig"]["InstanceCount"] = 2
    command = f"host={TRAINING_HOST}; cd /opt/ml/checkpoints; test $host = algo-2 && rm shared; echo > $host"
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/bash", "-c", command]
    assert remote.run(KIND, request)["TrainingJobStatus"] == "Completed"
    assert remote.keys("outputs/two/") == ["algo-1", "algo-2", "shared"]


def test_checkpoint_folder_that_becomes_a_link_deletes_nothing(remote):
    remote.put("outputs/linked/old", "")
    description, _, _ = train(
        remote,
        "rm -r /opt/ml/checkpoints; ln -s /etc /opt/ml/checkpoints",
        CheckpointConfig={"S3Uri": "s3://artifacts/outputs/linked"},
    )
    assert description["TrainingJobStatus"] == "Failed"
    assert "Symbolic links are not followed" in description["FailureReason"]
    assert remote.keys("outputs/linked/") == ["old"]


def test_tensorboard_and_debugger_folders_are_stored(remote):
    description, _, _ = train(
        remote,
        "echo 1 > /opt/ml/output/tensorboard/events; echo 2 > /opt/ml/tensors/step; exit 1",
        TensorBoardOutputConfig={"S3OutputPath": "s3://artifacts/outputs/board/"},
        DebugHookConfig={"S3OutputPath": "s3://artifacts/outputs/debug", "LocalPath": "/opt/ml/tensors"},
    )
    name = description["TrainingJobName"]
    assert remote.keys(f"outputs/board/{name}/") == ["tensorboard-output/events"]
    assert remote.keys(f"outputs/debug/{name}/") == ["debug-output/step"]


def test_fast_file_channels_are_folders_that_cannot_be_changed(remote):
    uri = remote.put("outputs/fast/a", "a").removesuffix("a")
    request = remote.training_request(channels={"fast": uri, "file": uri})
    request["InputDataConfig"][0]["InputMode"] = "FastFile"
    command = (
        "cd /opt/ml/input/data; cat fast/a; echo; touch file/new && echo file; touch fast/new && echo fast;"
        "cat ../config/inputdataconfig.json; exit 0"
    )
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/bash", "-c", command]
    remote.run(KIND, request)
    first, second, *others = remote.log(KIND, request["TrainingJobName"]).splitlines()
    assert (first, second) == ("a", "file")
    if detect_isolation() is not Isolation.NONE:
        assert "Read-only file system" in others[0]
    configuration = json.loads(others[-1])
    assert configuration["fast"]["TrainingInputMode"] == "FastFile"
    assert configuration["file"]["TrainingInputMode"] == "File"
