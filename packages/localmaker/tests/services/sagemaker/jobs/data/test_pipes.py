"""Inputs through named pipes: compressed, in processing jobs, with readers that stop early or are hostile."""

import gzip
import io
from contextlib import ExitStack

import pytest
from tests.services.sagemaker.jobs.conftest import PROCESSING_HOST

from localmaker.services.sagemaker.jobs.data.inputs import InputSource
from localmaker.services.sagemaker.jobs.data.objects import S3Object
from localmaker.services.sagemaker.jobs.data.pipes import ChannelPipe, PipeForm
from localmaker.services.sagemaker.jobs.kinds import JobKind

OUT = "/opt/ml/processing/output/out"


def train(remote, uri, command, **channel):
    """Return the description and log of a job with one channel in Pipe mode."""
    request = remote.training_request()
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/bash", "-c", command]
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    request["InputDataConfig"] = [
        {"ChannelName": "c", "DataSource": {"S3DataSource": source}, "InputMode": "Pipe", **channel}
    ]
    description = remote.run(JobKind.TRAINING, request)
    return description, remote.log(JobKind.TRAINING, request["TrainingJobName"])


def test_compressed_objects_come_unpacked(remote):
    uri = remote.put("pipes/gzip/a.gz", gzip.compress(b"first\n")).removesuffix("a.gz")
    remote.put("pipes/gzip/b", gzip.compress(b"second\n"))
    _, log = train(
        remote,
        uri,
        "cat /opt/ml/input/data/c_0 /opt/ml/input/data/c_1; cat /opt/ml/input/config/inputdataconfig.json",
        CompressionType="Gzip",
    )
    assert log.startswith("first\nsecond\nfirst\nsecond\n")
    assert '"TrainingInputMode": "Pipe"' in log


def test_data_that_does_not_come_fails_the_job_whatever_its_program_says(remote):
    uri = remote.put("pipes/plain/a", "plain")
    description, log = train(remote, uri, "cat /opt/ml/input/data/c_0; touch /opt/ml/model/m", CompressionType="Gzip")
    reason = f'ClientError: "{uri}" is not compressed with gzip, as CompressionType says'
    assert description["TrainingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith(reason)
    assert reason in log
    assert remote.keys(f"models/{description['TrainingJobName']}/") == []

    request = remote.processing_request("cat /opt/ml/processing/input/data_0", inputs={"data": uri})
    request["ProcessingInputs"][0]["S3Input"] |= {"S3InputMode": "Pipe", "S3CompressionType": "Gzip"}
    description = remote.run(JobKind.PROCESSING, request)
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith(reason)


def test_reader_that_stops_early_gets_the_next_epoch(remote):
    uri = remote.put("pipes/early/a", "x" * 5_000_000)
    command = "for epoch in 0 1 2; do head -c 3 /opt/ml/input/data/c_$epoch; echo; done"
    assert train(remote, uri, command)[1].splitlines() == ["xxx"] * 3


@pytest.mark.parametrize(
    "command",
    [
        "rm /opt/ml/input/data/c_0",
        "exec 3<> /opt/ml/input/data/c_0; rm /opt/ml/input/data/c_0",
        "exec 3< /opt/ml/input/data/c_0; rm /opt/ml/input/data/c_*",
    ],
    ids=["unlinked", "unlinked-with-a-reader", "never-read"],
)
def test_a_pipe_that_nobody_can_read_does_not_keep_the_job(remote, command):
    uri = remote.put("pipes/gone/a", "x" * 1_000_000)
    assert train(remote, uri, command)[0]["TrainingJobStatus"] == "Completed"


def test_a_reader_that_outlives_the_job_does_not_keep_the_pipe(tmp_path):
    with ExitStack() as stack:
        pipe = ChannelPipe(
            _OneObject(), InputSource("s3://b/a", "S3Prefix", "FullyReplicated"), PipeForm(), tmp_path / "c",
            instance=1, count=1, report=str,
        )  # fmt: skip
        with pipe:
            reader = stack.enter_context((tmp_path / "c_0").open("rb", buffering=0))
            assert reader.read(1) == b"x"


class _OneObject:
    """A transfer of one object that no pipe can hold."""

    def list_prefix(self, uri):
        return [S3Object("b", "a", "a", 10_000_000)]

    def open_object(self, uri):
        return io.BytesIO(b"x" * 10_000_000)


def test_a_link_in_the_place_of_a_pipe_is_not_followed(remote, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    uri = remote.put("pipes/link/a", "x" * 1_000_000)
    # When the first byte has come the next pipe is there, and nobody waits for its reader yet.
    command = (
        "cd /opt/ml/input/data; exec 3< c_0; head -c 1 <&3 > /dev/null;"
        f"rm c_1; ln -s {victim} c_1; cat <&3 > /dev/null; sleep 0.3"
    )
    description, log = train(remote, uri, command)
    assert description["TrainingJobStatus"] == "Completed", log
    assert "the pipe c_1 can no longer be written" in log
    assert victim.read_text() == "untouched"


@pytest.mark.parametrize("compression", ["None", "Gzip"])
def test_processing_inputs_come_through_pipes_at_their_local_path(remote, compression):
    body = gzip.compress(b"a row\n") if compression == "Gzip" else b"a row\n"
    uri = remote.put(f"pipes/processing/{compression}", body)
    request = remote.processing_request(
        f"cd /opt/ml/processing/input; ls > {OUT}/names; cat data_0 data_1 > {OUT}/rows", inputs={"data": uri}
    )
    request["ProcessingInputs"][0]["S3Input"] |= {"S3InputMode": "Pipe", "S3CompressionType": compression}
    description = remote.run(JobKind.PROCESSING, request)
    name = description["ProcessingJobName"]
    assert description["ProcessingJobStatus"] == "Completed", description
    assert remote.read(f"{name}/out/names") == b"data_0\n"
    assert remote.read(f"{name}/out/rows") == b"a row\na row\n"


def test_processing_instances_share_what_comes_through_pipes(remote):
    for number in range(3):
        remote.put(f"pipes/shared/{number}", f"{number}\n")
    request = remote.processing_request(
        f"cat /opt/ml/processing/input/data_0 > {OUT}/{PROCESSING_HOST}",
        inputs={"data": "s3://artifacts/pipes/shared/"},
    )
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    request["ProcessingInputs"][0]["S3Input"] |= {
        "S3InputMode": "Pipe",
        "S3DataDistributionType": "ShardedByS3Key",
    }
    name = remote.run(JobKind.PROCESSING, request)["ProcessingJobName"]
    assert remote.read(f"{name}/out/algo-1") == b"0\n2\n"
    assert remote.read(f"{name}/out/algo-2") == b"1\n"
