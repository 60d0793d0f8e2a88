"""Stopped jobs: while their data is downloaded, while they run, and what is kept then."""

import io
import tarfile
import threading

from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer
from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.TRAINING


def stations(description):
    return [entry["Status"] for entry in description["SecondaryStatusTransitions"]]


def test_model_of_a_stopped_job_is_kept(remote, eventually):
    request = remote.training_request()
    command = "trap 'echo late > /opt/ml/model/late; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/bash", "-c", command]
    name = request["TrainingJobName"]
    remote.start(KIND, request)
    eventually(lambda: "up" in remote.log(KIND, name))
    remote.sagemaker.stop_training_job(TrainingJobName=name)
    description = remote.wait(KIND, name)
    assert description["TrainingJobStatus"] == description["SecondaryStatus"] == "Stopped"
    assert stations(description) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    with tarfile.open(fileobj=io.BytesIO(remote.read(f"models/{name}/output/model.tar.gz"))) as tar:
        assert tar.getnames() == ["late"]


def test_job_stopped_while_its_data_comes_never_runs(make_jobs, monkeypatch):
    jobs = make_jobs()
    uri = jobs.put("stopping/data", b"x" * 5_000_000)
    coming, stopped = threading.Event(), threading.Event()
    download = ObjectTransfer.download

    def slow(self, entry, target):
        coming.set()
        assert stopped.wait(60)
        return download(self, entry, target)

    monkeypatch.setattr(ObjectTransfer, "download", slow)
    for kind, request in (
        (KIND, jobs.training_request(channels={"train": uri})),
        (JobKind.PROCESSING, jobs.processing_request("echo ran", inputs={"data": uri})),
    ):
        coming.clear()
        stopped.clear()
        if kind is KIND:
            request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/bin/echo", "ran"]
        name = request[kind.name_field]
        jobs.service.create(kind, request)
        assert coming.wait(60)
        jobs.service.stop(kind, name)
        assert jobs.service.describe(kind, name)[kind.status_field] == "Stopping"
        stopped.set()
        description = jobs.service.wait(kind, name)
        assert description[kind.status_field] == "Stopped", description
        assert "ran" not in jobs.log(kind, name)
        if kind is KIND:
            assert stations(description) == ["Starting", "Downloading", "Stopping", "Stopped"]
