"""Uploads while a job runs: outputs with S3UploadMode Continuous, and checkpoints."""

import threading

from localmaker.services.sagemaker.jobs.kinds import JobKind

OUT = "/opt/ml/processing/output/out"


def wait_for(condition):
    while not condition():
        threading.Event().wait(0.02)


def test_continuous_output_arrives_while_the_job_runs_and_stays_when_it_fails(jobs):
    count = (
        "import boto3, os; "
        "print(boto3.client('s3').list_objects_v2(Bucket='artifacts', Prefix=os.environ['WHERE']).get('KeyCount', 0))"
    )
    request = jobs.processing_request(
        f"cd {OUT}; mkdir deep; echo 1 > deep/a; ln -s /etc/passwd link; ln -s /etc folder; mkfifo pipe;"
        f'until [ "$(python3 -c "{count}")" = 1 ]; do sleep 0.1; done; echo 2 > deep/a; echo 3 > late; exit 1'
    )
    name = request["ProcessingJobName"]
    request["Environment"] = {"WHERE": f"{name}/out/"}
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    description = jobs.run(JobKind.PROCESSING, request)
    assert description["ProcessingJobStatus"] == "Failed"
    assert jobs.keys(f"{name}/out/") == ["deep/a", "late"]
    assert jobs.read(f"{name}/out/deep/a") == b"2\n"


def test_continuous_folder_replaced_by_a_link_is_not_followed(jobs):
    request = jobs.processing_request(f"rmdir {OUT}; ln -s /etc {OUT}; sleep 1.2")
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    description = jobs.run(JobKind.PROCESSING, request)
    assert "Symbolic links are not followed" in description["FailureReason"]
    assert jobs.keys(f"{description['ProcessingJobName']}/") == []


def test_checkpoints_are_there_before_the_job_ends(jobs):
    program = "import time; open('/opt/ml/checkpoints/1', 'w').write('one'); time.sleep(600)"
    request = jobs.training_request({"train.py": program})
    name = request["TrainingJobName"]
    request["CheckpointConfig"] = {"S3Uri": f"s3://artifacts/{name}/checkpoints"}
    jobs.service.create(JobKind.TRAINING, request)
    wait_for(lambda: jobs.keys(f"{name}/checkpoints/") == ["1"])
    assert jobs.service.describe(JobKind.TRAINING, name)["TrainingJobStatus"] == "InProgress"
    jobs.service.stop(JobKind.TRAINING, name)
    assert jobs.service.wait(JobKind.TRAINING, name)["TrainingJobStatus"] == "Stopped"


def test_a_folder_that_becomes_a_pipe_does_not_keep_the_job(jobs):
    request = jobs.processing_request(
        f"cd {OUT}; for i in $(seq 300); do mkdir a; sleep 0.003; rmdir a; mkfifo a; sleep 0.003; rm a; done; "
        "echo 1 > b"
    )
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    description = jobs.run(JobKind.PROCESSING, request)
    assert description["ProcessingJobStatus"] == "Completed", description
    assert jobs.keys(f"{description['ProcessingJobName']}/out/") == ["b"]
