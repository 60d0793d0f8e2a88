"""Messages of containers at their end: message files, failure files, exit codes."""

import pytest
from tests.services.sagemaker.jobs.conftest import PROCESSING_HOST

from localmaker.services.sagemaker.jobs.kinds import JobKind

MESSAGE = "/opt/ml/output/message"


def process(remote, command, instances=1, **fields):
    request = remote.processing_request(command, outputs=(), **fields)
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = instances
    return remote.run(JobKind.PROCESSING, request)


def train(remote, command, **fields):
    request = remote.training_request(**fields)
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/bash", "-c", command]
    return remote.run(JobKind.TRAINING, request)


def test_messages_of_all_instances_follow_each_other(remote):
    description = process(remote, f"echo from {PROCESSING_HOST} > {MESSAGE}", instances=2)
    assert description["ExitMessage"] == "from algo-1\nfrom algo-2"


def test_messages_together_are_cut_to_a_kilobyte(remote):
    description = process(remote, f"head -c 1000 /dev/zero | tr '\\0' x > {MESSAGE}; echo >> {MESSAGE}", instances=2)
    assert description["ExitMessage"] == "x" * 1000 + "\n" + "x" * 23


def test_character_at_the_end_of_the_kilobyte_is_not_cut_in_two(remote):
    description = process(remote, f"printf a > {MESSAGE}; printf 'é%.0s' {{1..600}} >> {MESSAGE}")
    assert description["ExitMessage"] == "a" + "é" * 511


@pytest.mark.parametrize("content", [r"\xff\xfe", r"text \xe9", r"\xc3"])
def test_message_that_is_not_utf8_fails_the_job(remote, content):
    description = process(remote, f"printf '{content}' > {MESSAGE}")
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"].startswith("ClientError: /opt/ml/output/message is not UTF-8 encoded")
    assert "ExitMessage" not in description


def test_first_1024_characters_of_a_failure_file_count(remote):
    description = train(remote, "printf 'é%.0s' {1..2000} > /opt/ml/output/failure; exit 3")
    ending = ", exit code: 3"
    start = "AlgorithmError: "
    assert description["FailureReason"] == start + "é" * (1024 - len(start) - len(ending)) + ending


def test_failure_file_of_a_job_that_succeeds_is_not_looked_at(remote):
    description = train(remote, "echo no > /opt/ml/output/failure")
    assert description["TrainingJobStatus"] == "Completed"
    assert "FailureReason" not in description


@pytest.mark.parametrize(("end", "code"), [("exit 139", 139), ("kill -SEGV $$", 139), ("kill -ABRT $$", 134)])
def test_codes_of_signals(remote, end, code):
    assert train(remote, end)["FailureReason"].endswith(f", exit code: {code}")
    assert process(remote, end)["FailureReason"].endswith(f", exit code: {code}")


def test_toolkit_tells_of_signals_as_python_does(remote):
    request = remote.training_request({"train.py": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"})
    reason = remote.run(JobKind.TRAINING, request)["FailureReason"]
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError:\nExitCode -9\n")
    assert reason.endswith(", exit code: 1")


def test_a_limit_of_nearly_28_days_is_none_to_a_short_job(remote):
    description = train(remote, "true", StoppingCondition={"MaxRuntimeInSeconds": 28 * 86_400})
    assert description["TrainingJobStatus"] == "Completed", description
