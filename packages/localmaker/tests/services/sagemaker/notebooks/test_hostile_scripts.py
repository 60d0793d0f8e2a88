"""Scripts that fail, take too long, or try to do harm: the instance fails, and nothing else is touched."""

from __future__ import annotations

import re
import socket
import time

import pytest
from tests.services.sagemaker.notebooks.conftest import Notebooks

from localmaker.daemon import running_endpoint
from localmaker.services.sagemaker.notebooks.machine import MOST_OUTPUT_BYTES

OTHERS = """
ls /home/ec2-user/SageMaker
cat {path} 2>/dev/null || echo hidden
touch {path} 2>/dev/null || echo refused
ls -d {folder}/* 2>/dev/null || echo nothing
"""


@pytest.fixture(scope="module")
def hasty(endpoint, tmp_path_factory):
    """Return an endpoint whose scripts have three seconds; the others' endpoint must not start with its variables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALMAKER_NOTEBOOK_SCRIPT_SECONDS", "3")
        patch.setenv("LOCALMAKER_JOB_PROCESSES", "60")
        with running_endpoint(tmp_path_factory.mktemp("hasty")) as handle:
            yield handle


@pytest.fixture
def hasty_notebooks(hasty, unique, eventually):
    return Notebooks(hasty, unique, eventually)


def too_long(found):
    arn = found["NotebookInstanceArn"]
    config = arn.replace(":notebook-instance/", ":notebook-instance-lifecycle-config/")
    return (
        f"Notebook Instance Lifecycle Config '{config}' for Notebook Instance '{arn}' took longer than 5 minutes. "
        "Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
    )


def test_a_script_that_fails(notebooks):
    found = notebooks.run("echo before; cd nowhere || exit 7")
    assert found["NotebookInstanceStatus"] == "Failed"
    assert found["FailureReason"] == too_long(found)
    before, error, status = notebooks.log()
    assert before == "before"
    assert error.startswith("/tmp/OnStart_20")  # noqa: S108 - where AWS puts it
    assert error.endswith("line 1: cd: nowhere: No such file or directory")
    assert status == "[localmaker] OnStart has ended with status 7"


def test_a_script_with_line_ends_of_windows(notebooks):
    found = notebooks.run("#!/bin/bash\r\necho hello\r\n")
    assert found["FailureReason"] == too_long(found)
    # "bad interpreter" until bash 5.1
    assert re.search(r"bad interpreter|cannot execute", notebooks.log()[0])


def test_oncreate_has_to_succeed_once(notebooks):
    config = notebooks.configure("echo start", "echo create; exit 1")
    notebooks.create(LifecycleConfigName=config)
    assert notebooks.wait("", "InService", "Failed")["NotebookInstanceStatus"] == "Failed"
    assert notebooks.log() == []
    notebooks.sagemaker.update_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=config, OnCreate=[{"Content": "ZWNobyBhZ2Fpbg=="}]
    )
    assert notebooks.start()["NotebookInstanceStatus"] == "InService"
    assert notebooks.log("OnCreate")[-1] == "again"
    assert notebooks.log() == ["start"]


def test_a_script_that_takes_too_long(hasty_notebooks):
    found = hasty_notebooks.run("echo waiting; sleep 1000")
    assert found["FailureReason"] == too_long(found)
    assert hasty_notebooks.log() == [
        "waiting",
        "[localmaker] OnStart was ended: the scripts of a start have 3 seconds",
    ]


def test_a_clone_that_takes_too_long(hasty_notebooks):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        found = hasty_notebooks.run("true", DefaultCodeRepository=url)
    assert found["FailureReason"] == f"fatal: the clone of {url} took longer than 3 seconds"


def test_what_runs_in_the_background_goes_on_until_the_stop(hasty_notebooks, hasty, eventually):
    beat = "while true; do date +%s%N > /home/ec2-user/SageMaker/beat; sleep 0.05; done"
    found = hasty_notebooks.run(f"nohup bash -c '{beat}' > /dev/null 2>&1 &\n(sleep 4; echo late) &\necho started")
    assert found["NotebookInstanceStatus"] == "InService"
    (beats,) = (hasty.state_dir / "notebook-instances").glob("*/volume/beat")
    first = beats.read_text()
    eventually(lambda: beats.read_text() not in ("", first))
    eventually(lambda: hasty_notebooks.log() == ["started", "late"])
    assert hasty_notebooks.stop()["NotebookInstanceStatus"] == "Stopped"
    last = beats.read_text()
    time.sleep(0.3)
    assert beats.read_text() == last


def test_a_fork_bomb_ends_its_own_instance_only(hasty_notebooks):
    other = hasty_notebooks.create(f"{hasty_notebooks.unique}-other")
    hasty_notebooks.wait(other, "InService")
    found = hasty_notebooks.run("bomb() { bomb | bomb & }; bomb; sleep 100")
    assert found["NotebookInstanceStatus"] == "Failed"
    assert "started more than 60 processes" in found["FailureReason"]
    assert hasty_notebooks.describe(other)["NotebookInstanceStatus"] == "InService"
    assert hasty_notebooks.stop(other)["NotebookInstanceStatus"] == "Stopped"


def test_an_instance_whose_machine_ends_has_failed(notebooks):
    notebooks.run("(sleep 0.5; kill -9 $PPID; kill -9 -1) & disown")
    found = notebooks.wait("", "Failed")
    assert "was ended by one of its scripts" in found["FailureReason"]
    assert notebooks.start()["NotebookInstanceStatus"] in ("InService", "Failed")


def test_of_endless_output_the_log_takes_a_part(notebooks, eventually):
    found = notebooks.run("yes $(printf '%01000d') | head -c 3000000; (yes endless &)")
    assert found["NotebookInstanceStatus"] == "InService", found
    lines = eventually(lambda: (found := notebooks.log()) and found[-1].startswith("[localmaker]") and found)
    assert lines[-1] == "[localmaker] the log takes no more than 1 MiB of a start"
    assert sum(len(line) + 1 for line in lines) < MOST_OUTPUT_BYTES + 1000
    assert notebooks.stop()["NotebookInstanceStatus"] == "Stopped"


def test_a_script_reaches_neither_other_volumes_nor_the_machine(notebooks, endpoint, tmp_path):
    first = notebooks.unique
    notebooks.run("echo mine > /home/ec2-user/SageMaker/mine")
    folder = endpoint.state_dir / "notebook-instances"
    (path,) = (one for one in folder.glob("*/volume/mine") if one.read_text() == "mine\n")
    before = path.stat().st_mtime_ns
    name = f"{first}-thief"
    links = f"ln -s {folder} /home/ec2-user/SageMaker/link; cat /home/ec2-user/SageMaker/link/*/volume/* || echo no way"
    notebooks.run(OTHERS.format(path=path, folder=folder) + links, name=name)
    log = [line for line in notebooks.log(name=name) if "No such file" not in line]
    assert log == ["hidden", "refused", "nothing", "no way"]
    assert path.stat().st_mtime_ns == before
    notebooks.stop(name)
    notebooks.sagemaker.delete_notebook_instance(NotebookInstanceName=name)


def test_deletion_takes_the_volume_and_follows_no_link(notebooks, endpoint, eventually, tmp_path):
    (tmp_path / "kept").write_text("kept")
    notebooks.run(
        f"cd ~ec2-user/SageMaker && ln -s {tmp_path} out && ln -s / root && mkdir -p a/b && touch a/b/c && chmod 0 a"
    )
    notebooks.stop()
    folder = endpoint.state_dir / "notebook-instances"
    (mine,) = (one.parent.parent for one in folder.glob("*/volume/out") if one.readlink() == tmp_path)
    notebooks.sagemaker.delete_notebook_instance(NotebookInstanceName=notebooks.unique)
    eventually(
        lambda: not notebooks.sagemaker.list_notebook_instances(NameContains=notebooks.unique)["NotebookInstances"]
    )
    assert not mine.exists()
    assert (tmp_path / "kept").read_text() == "kept"
