from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from localmaker import daemon
from localmaker.errors import (
    EndpointNotRunningError,
    EndpointStartError,
    NotLoopbackError,
    PortInUseError,
    StateInUseError,
    StateUnavailableError,
    UnsafeStateError,
)
from localmaker.process import run
from localmaker.state.directory import LOCK_NAME, LOG_NAME, Running, default_state_dir, find_running, make_private

ROOT = Path(__file__).parents[3]


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    if daemon.status(tmp_path) is not None:
        daemon.down(tmp_path)


def start(state_dir: Path, port: int = 0) -> Running:
    running = daemon.up(port, state_dir=state_dir)
    assert running is not None
    return running


def test_up_status_down(state_dir: Path) -> None:
    assert daemon.status(state_dir) is None
    running = start(state_dir)
    assert daemon.status(state_dir) == running
    assert start(state_dir, running.port) == running
    with pytest.raises(PortInUseError, match="is already running at"):
        start(state_dir, running.port + 1)
    process = psutil.Process(running.pid)
    assert os.getsid(running.pid) != os.getsid(0)
    daemon.down(state_dir)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert daemon.status(state_dir) is None
    with pytest.raises(EndpointNotRunningError, match="no local endpoint is running"):
        daemon.down(state_dir)


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("no_umask")
def test_what_the_endpoint_keeps_is_the_users_alone(tmp_path: Path) -> None:
    state_dir = tmp_path / "parent" / "state"
    with daemon.running_endpoint(state_dir):
        assert (mode_of(state_dir), mode_of(state_dir.parent)) == (0o700, 0o700)
    assert str(state_dir) not in (state_dir / LOG_NAME).read_text()
    state_dir.chmod(0o755)
    with daemon.running_endpoint(state_dir):
        assert mode_of(state_dir) == 0o700
    assert (state_dir / LOG_NAME).read_text().count(f"{state_dir} had mode 755") == 1


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777])
def test_a_shared_folder_is_left_as_it_is(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / ("somebodys" if mode != 0o1777 else LOCK_NAME)).touch()
    shared.chmod(mode)
    before = sorted(shared.iterdir())
    with pytest.raises(UnsafeStateError, match="a folder of its own"):
        daemon.up(0, state_dir=shared)
    with pytest.raises(UnsafeStateError, match="a folder of its own"):
        run(shared, 0)
    assert (mode_of(shared), sorted(shared.iterdir())) == (mode, before)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(UnsafeStateError, match="belongs to another user"):
        make_private(tmp_path)


def test_an_empty_folder_is_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert make_private(tmp_path) == f"{tmp_path} had mode 755; now only its owner can read it (mode 700)"
    assert (make_private(tmp_path), mode_of(tmp_path)) == (None, 0o700)


def test_a_killed_endpoint_is_no_running_one(state_dir: Path) -> None:
    first = start(state_dir)
    os.kill(first.pid, signal.SIGKILL)
    psutil.Process(first.pid).wait(30)
    assert (state_dir / "endpoint.json").exists()
    assert daemon.status(state_dir) is None
    assert start(state_dir).pid != first.pid


def test_it_outlives_who_started_it(state_dir: Path) -> None:
    code = f"from pathlib import Path; from localmaker import daemon; daemon.up(0, state_dir=Path({str(state_dir)!r}))"
    starter = subprocess.run([sys.executable, "-c", code], cwd=ROOT, start_new_session=True, check=True, timeout=120)
    assert starter.returncode == 0
    running = daemon.status(state_dir)
    assert running is not None
    with socket.create_connection(("127.0.0.1", running.port), timeout=30):
        pass


def test_a_taken_port(state_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    running = start(state_dir)
    with pytest.raises(PortInUseError, match=f"port {running.port} is in use by process {running.pid}"):
        start(tmp_path_factory.mktemp("second"), running.port)


@pytest.mark.parametrize("detach", [True, False])
def test_nothing_but_loopback(state_dir: Path, detach: bool) -> None:
    with pytest.raises(NotLoopbackError, match="it has no authentication"):
        daemon.up(0, host="0.0.0.0", detach=detach, state_dir=state_dir)  # noqa: S104 - what is refused


def test_one_endpoint_for_one_state_directory(state_dir: Path) -> None:
    start(state_dir)
    with pytest.raises(StateInUseError, match="localmaker down"):
        run(state_dir, 0)


def test_a_start_that_fails_says_why(state_dir: Path) -> None:
    (state_dir / "aws").write_text("a file where the folder of moto's state has to be")
    with pytest.raises(EndpointStartError, match="FileExistsError"):
        start(state_dir)


@pytest.mark.parametrize("name", ["feature-store.db", "resources.db", "regions/us-east-1/pipelines.sqlite3"])
def test_a_store_that_cannot_be_read_is_set_aside_and_status_says_so(state_dir: Path, name: str) -> None:
    (state_dir / name).parent.mkdir(parents=True, exist_ok=True)
    (state_dir / name).write_text("this is no database, and SQLite says so")
    start(state_dir)
    [aside] = state_dir.glob(f"{name}.set-aside-*")
    said = f"is set aside as {aside}: file is not a database"
    assert said in (state_dir / "endpoint.log").read_text()
    found = daemon.status(state_dir)
    assert found is not None
    assert said in found.restored


@pytest.mark.parametrize("name", ["feature-store.db", "aws/state.db"])
def test_a_store_that_cannot_be_opened_is_left_as_it_is(state_dir: Path, name: str) -> None:
    (state_dir / "aws").mkdir(mode=0o700, parents=True)
    (state_dir / name).mkdir()
    with pytest.raises(StateUnavailableError, match=r"unable to open database file.*nothing was changed"):
        daemon.up(0, state_dir=state_dir)
    assert not list(state_dir.rglob("*.set-aside-*"))


def test_in_the_foreground_until_a_signal(state_dir: Path) -> None:
    code = (
        "from pathlib import Path; from localmaker import daemon; "
        f"daemon.up(0, detach=False, state_dir=Path({str(state_dir)!r}), on_ready=lambda r: print(r.url, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        running = daemon.status(state_dir)
        assert running is not None
        assert (running.url, running.pid) == (url, process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert not (state_dir / "endpoint.json").exists()


def test_running_endpoint_ends_with_the_process_that_wanted_it(state_dir: Path, eventually: Callable[..., Any]) -> None:
    code = (
        "import os, signal; from pathlib import Path; from localmaker import daemon\n"
        f"with daemon.running_endpoint(Path({str(state_dir)!r})) as endpoint:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=120)
    eventually(lambda: find_running(state_dir) is None)


def test_feature_groups_and_registry_survive_a_restart(state_dir: Path) -> None:
    with daemon.running_endpoint(state_dir) as first:
        sagemaker, records = first.client("sagemaker"), first.client("sagemaker-featurestore-runtime")
        sagemaker.create_feature_group(
            FeatureGroupName="g",
            RecordIdentifierFeatureName="id",
            EventTimeFeatureName="at",
            FeatureDefinitions=[
                {"FeatureName": "id", "FeatureType": "String"},
                {"FeatureName": "at", "FeatureType": "Fractional"},
            ],
            OnlineStoreConfig={"EnableOnlineStore": True},
        )
        record = [{"FeatureName": "id", "ValueAsString": "a"}, {"FeatureName": "at", "ValueAsString": "1"}]
        records.put_record(FeatureGroupName="g", Record=record)
        sagemaker.create_model_package_group(ModelPackageGroupName="m")
        arn = sagemaker.create_model_package(ModelPackageGroupName="m")["ModelPackageArn"]
    with daemon.running_endpoint(state_dir) as second:
        records = second.client("sagemaker-featurestore-runtime")
        assert records.get_record(FeatureGroupName="g", RecordIdentifierValueAsString="a")["Record"] == record
        described = second.client("sagemaker").describe_model_package(ModelPackageName=arn)
        assert described["ModelPackageVersion"] == 1


def test_down_ends_jobs_with_all_their_processes(state_dir: Path, eventually: Callable[..., Any]) -> None:
    running = start(state_dir)
    sagemaker = daemon.EndpointHandle(running).client("sagemaker")
    sagemaker.create_processing_job(
        ProcessingJobName="sleeper",
        RoleArn="arn:aws:iam::123456789012:role/r",
        AppSpecification={
            "ImageUri": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
            "ContainerEntrypoint": ["/bin/bash", "-c", "sleep 98765 & exec sleep 98764"],
        },
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )

    def sleepers() -> list[psutil.Process]:
        return [
            one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [""])[-1] in ("98764", "98765")
        ]

    def both_sleep() -> list[psutil.Process]:
        job = sagemaker.describe_processing_job(ProcessingJobName="sleeper")
        assert job["ProcessingJobStatus"] == "InProgress", job.get("FailureReason")
        return sleepers() if len(sleepers()) == 2 else []

    eventually(both_sleep, 200)
    daemon.down(state_dir)
    assert sleepers() == []
    with daemon.running_endpoint(state_dir) as again:
        job = again.client("sagemaker").describe_processing_job(ProcessingJobName="sleeper")
    assert job["ProcessingJobStatus"] in ("Failed", "Stopped")


def test_default_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / "localmaker"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_state_dir() == tmp_path / ".local" / "state" / "localmaker"


def test_status_needs_no_slow_import() -> None:
    code = "import sys, json; import localmaker.daemon; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, timeout=60)
    loaded = set(json.loads(output.stdout))
    assert not loaded & {"moto", "boto3", "botocore", "flask", "psutil"}


def test_a_signal_that_another_thread_takes_ends_it_too(state_dir: Path) -> None:
    # The kernel may give a signal to any thread, and Python runs its handlers in the first one, which sleeps.
    code = (
        "import signal, threading, time\n"
        "from pathlib import Path\n"
        "from localmaker import daemon\n"
        "def take():\n"
        "    main = Path(f'/proc/self/task/{threading.main_thread().native_id}/wchan')\n"
        "    while main.exists() and 'pipe' not in main.read_text():\n"
        "        time.sleep(0.01)\n"
        "    time.sleep(0.1)\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)\n"
        "daemon.up(\n"
        f"    0, detach=False, state_dir=Path({str(state_dir)!r}),\n"
        "    on_ready=lambda _record: threading.Thread(target=take, daemon=True).start(),\n"
        ")\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0


def test_the_users_aws_files_are_not_read(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (state_dir / ".aws").mkdir()
    for name in ("config", "credentials"):
        (state_dir / ".aws" / name).write_text("[default\nnonsense")
    monkeypatch.setenv("HOME", str(state_dir))
    monkeypatch.setenv("AWS_PROFILE", "missing")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "missing")
    running = start(state_dir / "state")
    try:
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)  # for the test's own client
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        monkeypatch.delenv("AWS_PROFILE")
        monkeypatch.delenv("AWS_DEFAULT_PROFILE")
        s3 = daemon.EndpointHandle(running).client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_bucket_notification_configuration(
            Bucket="bucket", NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        s3.put_object(Bucket="bucket", Key="key", Body=b"x")
        assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == b"x"
    finally:
        daemon.down(state_dir / "state")
