"""Instances of an endpoint that has ended, or was killed: what was stored is there, nothing runs, nothing is stuck."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from tests.services.sagemaker.notebooks.conftest import Notebooks

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.services.sagemaker.notebooks.records import INTERRUPTED

BACKGROUND = "echo run >> /home/ec2-user/SageMaker/runs; cat /home/ec2-user/SageMaker/runs; nohup sleep 100000.{} &"


def kill(endpoint: EndpointHandle) -> None:
    os.kill(endpoint.running.pid, signal.SIGKILL)
    psutil.Process(endpoint.running.pid).wait(30)


def sleeping(mark: str) -> bool:
    return any(f"100000.{mark}" in (process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))


@pytest.mark.parametrize("killed", [False, True])
def test_an_instance_that_was_running_has_failed_and_can_be_started(tmp_path, unique, eventually, killed):
    mark = str(int(unique[2:], 16))
    with running_endpoint(tmp_path) as endpoint:
        notebooks = Notebooks(endpoint, unique, eventually)
        found = notebooks.run(BACKGROUND.format(mark), Tags=[{"Key": "a", "Value": "1"}])
        assert found["NotebookInstanceStatus"] == "InService", found
        starting = notebooks.create(
            f"{unique}-starting", LifecycleConfigName=notebooks.configure("sleep 1000", name=f"{unique}-starting")
        )
        stopped = notebooks.create(f"{unique}-stopped")
        notebooks.wait(stopped, "InService")
        notebooks.stop(stopped)
        assert sleeping(mark)
        if killed:
            kill(endpoint)
    eventually(lambda: not sleeping(mark))
    with running_endpoint(tmp_path) as endpoint:
        notebooks = Notebooks(endpoint, unique, eventually)
        for name in (unique, starting):
            failed = notebooks.describe(name)
            assert (failed["NotebookInstanceStatus"], failed["FailureReason"]) == ("Failed", INTERRUPTED)
        assert notebooks.describe(stopped)["NotebookInstanceStatus"] == "Stopped"
        tags = notebooks.sagemaker.list_tags(ResourceArn=found["NotebookInstanceArn"])["Tags"]
        assert tags == [{"Key": "a", "Value": "1"}]
        assert not sleeping(mark)
        assert notebooks.start()["NotebookInstanceStatus"] == "InService"
        assert notebooks.log()[-2:] == ["run", "run"]
        notebooks.stop()
        for name in (unique, stopped, starting):
            notebooks.sagemaker.delete_notebook_instance(NotebookInstanceName=name)
        eventually(lambda: not notebooks.sagemaker.list_notebook_instances()["NotebookInstances"])
        assert list((tmp_path / "notebook-instances").iterdir()) == []


def test_what_a_killed_endpoint_has_begun_is_finished(tmp_path, unique, eventually):
    """States in which an endpoint may be killed, put there by killing it right after the request."""
    with running_endpoint(tmp_path) as endpoint:
        notebooks = Notebooks(endpoint, unique, eventually)
        for name in ("updating", "deleting"):
            notebooks.create(f"{unique}-{name}")
            notebooks.wait(f"{unique}-{name}", "InService")
            notebooks.stop(f"{unique}-{name}")
        notebooks.create(f"{unique}-stopping")
        notebooks.wait(f"{unique}-stopping", "InService")
        notebooks.sagemaker.update_notebook_instance(NotebookInstanceName=f"{unique}-updating", VolumeSizeInGB=8)
        notebooks.sagemaker.stop_notebook_instance(NotebookInstanceName=f"{unique}-stopping")
        notebooks.sagemaker.delete_notebook_instance(NotebookInstanceName=f"{unique}-deleting")
        kill(endpoint)
    with running_endpoint(tmp_path) as endpoint:
        notebooks = Notebooks(endpoint, unique, eventually)
        assert notebooks.wait(f"{unique}-updating", "Stopped")["VolumeSizeInGB"] == 8
        assert notebooks.wait(f"{unique}-stopping", "Stopped")
        eventually(lambda: len(notebooks.sagemaker.list_notebook_instances()["NotebookInstances"]) == 2)
