"""A job that fills the memory or forks too often is killed with all of its processes; the settings of the limits."""

import os

import psutil
import pytest
from tests.services.sagemaker.jobs.running.test_sandbox import works

from localmaker.sandbox import limits
from localmaker.sandbox.limits import LimitSettingError, Settings, read_settings
from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

FILL = "import time\nheld = []\nfor _ in range(400):\n    held.append(b'x' * 4_000_000)\n    time.sleep(0.002)\n"


@pytest.fixture(params=list(Isolation))
def bounded(request, make_jobs, monkeypatch):
    if not works(request.param):
        pytest.skip(f"{request.param} namespaces are not available on this machine")
    monkeypatch.setenv("LOCALMAKER_JOB_MEMORY_GIB", "0.25")
    monkeypatch.setenv("LOCALMAKER_JOB_PROCESSES", "20")
    return make_jobs(isolation=request.param)


def leftovers(marker):
    """Return the processes of the machine whose command line contains the marker."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(marker in word for word in command):
            found.append(process)
    return found


def test_memory_of_the_whole_tree_is_bounded(bounded):
    marker = f"61.{os.getpid()}1"
    # Neither process alone needs more than the limit.
    half = FILL.replace("400", "40") + "time.sleep(600)"
    description = bounded.process(
        f'(setsid sleep {marker} &); python3 -c "$HALF" & python3 -c "$HALF"', environment={"HALF": half}
    )
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["FailureReason"] == limits.OUT_OF_MEMORY
    assert "more than 0.25 GiB of memory" in bounded.log(JobKind.PROCESSING, description["ProcessingJobName"])
    assert leftovers(marker) == []


def test_memory_shared_between_forked_processes_counts_once(bounded):
    program = (
        "import os, time\nheld = b'x' * 120_000_000\nchildren = []\n"
        "for _ in range(4):\n    pid = os.fork()\n    if not pid:\n        time.sleep(1)\n        os._exit(0)\n"
        "    children.append(pid)\nfor pid in children: os.waitpid(pid, 0)\n"
    )
    description = bounded.process('exec python3 -c "$PROGRAM"', environment={"PROGRAM": program})
    assert description["ProcessingJobStatus"] == "Completed", description.get("FailureReason")


def test_forking_is_bounded(bounded):
    marker = f"61.{os.getpid()}2"
    description = bounded.process(f"for i in $(seq 60); do (setsid sleep {marker} &); done; sleep 600")
    assert description["FailureReason"].startswith("ClientError: The job started more than 20 processes.")
    assert "more than 20 processes" in bounded.log(JobKind.PROCESSING, description["ProcessingJobName"])
    assert leftovers(marker) == []


def test_files_in_memory_count(bounded):
    if bounded.service.isolation is Isolation.NONE:
        pytest.skip("without namespaces a job shares the machine's /dev/shm")
    description = bounded.process(
        "head -c 200000000 /dev/zero > /dev/shm/x; head -c 100000000 /dev/zero | tail; sleep 600"
    )
    assert description["FailureReason"] == limits.OUT_OF_MEMORY


def test_training_fails_in_the_same_words(make_jobs, monkeypatch):
    monkeypatch.setenv("LOCALMAKER_JOB_MEMORY_GIB", "0.25")
    description = make_jobs().train({"train.py": FILL + "time.sleep(600)"})
    assert description["TrainingJobStatus"] == "Failed"
    assert description["FailureReason"] == limits.OUT_OF_MEMORY


def test_settings():
    assert read_settings({"LOCALMAKER_JOB_MEMORY_GIB": "1.5", "LOCALMAKER_JOB_PROCESSES": "7"}) == Settings(
        memory_bytes=1536 * 1024**2, processes=7
    )
    assert read_settings({"LOCALMAKER_JOB_DISK_GIB": "2", "LOCALMAKER_JOB_FILES": "1000"}) == Settings(
        disk_bytes=2 * 1024**3, files=1000
    )
    assert read_settings({}) == Settings(None, 1024, None, 1_000_000)


@pytest.mark.parametrize("text", ["x", "0", "-1", "nan", "inf"])
def test_wrong_setting_is_named(text):
    with pytest.raises(LimitSettingError, match="LOCALMAKER_JOB_MEMORY_GIB"):
        read_settings({"LOCALMAKER_JOB_MEMORY_GIB": text})


def test_service_refuses_to_start_with_a_wrong_setting(make_jobs, monkeypatch):
    monkeypatch.setenv("LOCALMAKER_JOB_PROCESSES", "many")
    with pytest.raises(LimitSettingError, match="LOCALMAKER_JOB_PROCESSES='many' is not a positive number"):
        make_jobs()


def test_sandbox_that_is_unknown_fails_the_job(make_jobs, monkeypatch):
    detect_isolation.cache_clear()
    monkeypatch.setenv("LOCALMAKER_SANDBOX", "fortress")
    jobs = make_jobs()
    description = jobs.process("true")
    detect_isolation.cache_clear()
    assert "fortress" in description["FailureReason"]


@pytest.mark.parametrize(
    ("variable", "value", "script"),
    [
        (
            "LOCALMAKER_JOB_DISK_GIB",
            "0.05",
            "for i in 1 2 3; do head -c 30000000 /dev/zero > /opt/ml/$i; done; sleep 600",
        ),
        ("LOCALMAKER_JOB_FILES", "200", "for i in $(seq 400); do : > /tmp/$i; done; sleep 600"),
    ],
)
def test_disk_and_files_are_bounded(make_jobs, monkeypatch, variable, value, script):
    monkeypatch.setenv(variable, value)
    jobs = make_jobs()
    description = jobs.process(script)
    assert description["ProcessingJobStatus"] == "Failed"
    assert "no space left on device" in description["FailureReason"]
    assert variable in description["FailureReason"]
