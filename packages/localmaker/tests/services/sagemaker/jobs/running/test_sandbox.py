"""The sandbox with each mechanism: what a job sees, what it cannot change, and the substitution without namespaces."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psutil
import pytest

from localmaker.images.installer import installer_of_jobs
from localmaker.sandbox import substitution
from localmaker.sandbox.sandbox import (
    Isolation,
    SandboxError,
    SandboxRequest,
    detect_isolation,
    start,
)
from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.PROCESSING
OUT = "/opt/ml/processing/output/out"


def works(isolation):
    return isolation is Isolation.NONE or detect_isolation() is isolation


def require(isolation):
    if not works(isolation):
        pytest.skip(f"{isolation} does not work on this machine")


@pytest.fixture(params=list(Isolation))
def each_way(request, make_jobs):
    require(request.param)
    return make_jobs(isolation=request.param)


@pytest.fixture
def isolated(make_jobs):
    require(Isolation.BUBBLEWRAP)
    return make_jobs(isolation=Isolation.BUBBLEWRAP)


def read(jobs, description, name):
    assert description["ProcessingJobStatus"] == "Completed", description.get("FailureReason")
    return jobs.read(f"{description['ProcessingJobName']}/out/{name}").decode()


def test_processing_works_each_way(each_way):
    each_way.put("ways/code/run.sh", f"cat /opt/ml/processing/input/data/x > {OUT}/copy; echo $WHERE >> {OUT}/copy")
    each_way.put("ways/data/x", "/opt/ml is data here\n")
    description = each_way.process(
        "bash /opt/ml/processing/input/code/run.sh && echo done > /opt/ml/output/message",
        inputs={"code": "s3://artifacts/ways/code/", "data": "s3://artifacts/ways/data/"},
        environment={"WHERE": "/opt/ml/processing"},
    )
    lines = read(each_way, description, "copy").splitlines()
    assert lines[0] == "/opt/ml is data here"
    assert lines[1].endswith("/ml/processing")
    assert description["ExitMessage"] == "done"


def test_training_works_each_way(each_way):
    program = "import os, sys; open('/opt/ml/model/m', 'w').write('1'); print(sorted(os.listdir('/opt/ml')))"
    description = each_way.train({"train.py": program})
    assert description["TrainingJobStatus"] == "Completed", each_way.log(
        JobKind.TRAINING, description["TrainingJobName"]
    )


def test_tree_is_killed_each_way(each_way):
    description = each_way.process(
        "trap '' TERM; (setsid sleep 77.7 &); while :; do sleep 77.7; done",
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    assert description["ProcessingJobStatus"] == "Stopped"


def test_jobs_at_the_same_time_have_their_own_opt_ml(isolated):
    script = f"echo $MINE > /opt/ml/mark; sleep 0.3; cp /opt/ml/mark {OUT}/mark; ls -A /tmp ~ > /dev/null"
    requests = [isolated.processing_request(script, environment={"MINE": str(n)}) for n in range(3)]
    for request in requests:
        isolated.service.create(KIND, request)
    for number, request in enumerate(requests):
        description = isolated.service.wait(KIND, request["ProcessingJobName"])
        assert read(isolated, description, "mark") == f"{number}\n"
    assert not Path("/opt/ml/mark").exists()


def test_home_and_temporary_folder_are_private(isolated, tmp_path):
    (tmp_path / "secret").write_text("s")
    mine = f"mine-{os.getpid()}"
    description = isolated.process(
        f"cd {OUT}; touch ~/{mine} /tmp/{mine}; ls -A ~ /tmp /var/tmp > names; "
        f"cat {tmp_path}/secret; echo $HOME >> names"
    )
    names = read(isolated, description, "names")
    assert names.count(mine) == 3  # /var/tmp is /tmp
    assert names.endswith("/root\n")
    assert "No such file" in isolated.log(KIND, description["ProcessingJobName"])
    assert not (Path.home() / mine).exists()
    assert not Path("/tmp", mine).exists()  # noqa: S108


def test_the_machine_cannot_be_changed(isolated):
    description = isolated.process(f"touch /usr/intruder; touch {Path.cwd()}/intruder; true", outputs=())
    log = isolated.log(KIND, description["ProcessingJobName"])
    assert "/usr/intruder': Read-only file system" in log
    assert "/intruder': No such file or directory" in log


def test_the_root_is_the_jobs_own(isolated):
    description = isolated.process(
        f"mkdir /data /srv/x; echo 1 > /data/x; ls -A / > {OUT}/names; ls -A /opt > {OUT}/opt"
    )
    names = set(read(isolated, description, "names").split())
    assert {"data", "usr", "etc", "tmp", "opt", "root", "proc", "dev"} <= names
    assert not names & {"home", "boot", "run", "work"}
    shown = {part for path in installer_of_jobs().visible for part in path.parts}  # the machine's index may lie there
    assert {"env", "ml"} <= set(read(isolated, description, "opt").split()) <= {"env", "ml", *shown}
    assert not Path("/data").exists()


def test_job_sees_only_its_own_processes_and_host_name(isolated):
    description = isolated.process(f"(hostname; ls -d /proc/[0-9]* | wc -l; getent hosts algo-1) > {OUT}/seen")
    name, processes, host = read(isolated, description, "seen").splitlines()
    assert name == "algo-1"
    assert int(processes) < 12
    assert host.split() == ["127.0.0.1", "localhost", "algo-1"]


def test_what_a_job_installs_disappears_with_it(each_way, image):
    install = "pip install -q tomli-w==1.2.0; python3 -c 'import tomli_w; print(tomli_w.__file__)'"
    first, second = each_way.process(install), each_way.process("python3 -c 'import tomli_w'")
    assert first["ProcessingJobStatus"] == "Completed", each_way.log(KIND, first["ProcessingJobName"])
    assert "/env/lib/python" in each_way.log(KIND, first["ProcessingJobName"])
    assert "No module named 'tomli_w'" in each_way.log(KIND, second["ProcessingJobName"])
    assert not (image.site_packages / "tomli_w").exists()


def test_tree_ends_when_the_endpoint_is_killed(tmp_path):
    program = f"""
import time
from pathlib import Path
from localmaker.sandbox.sandbox import SandboxRequest, detect_isolation, start
start(SandboxRequest(["/bin/sh", "-c", "trap '' TERM; (setsid sleep 600 &); sleep 600"], {{}}, "/",
      Path({str(tmp_path)!r}), isolation=detect_isolation()))
print("started", flush=True)
time.sleep(600)
"""
    if detect_isolation() is Isolation.NONE:
        pytest.skip("without namespaces, what detached itself outlives a killed endpoint")
    endpoint = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with endpoint, endpoint.stdout:
        assert endpoint.stdout.readline() == b"started\n"
        tree = psutil.Process(endpoint.pid).children(recursive=True)
        endpoint.kill()
    assert tree
    assert psutil.wait_procs(tree, timeout=30)[1] == []


def test_missing_command_is_told(tmp_path):
    for isolation in filter(works, Isolation):
        request = SandboxRequest(["no-such-program"], {}, "/", tmp_path, isolation=isolation)
        with pytest.raises(SandboxError, match="no-such-program: No such file or directory"):
            start(request)


def test_a_sandbox_that_cannot_be_made_is_told(tmp_path):
    require(Isolation.BUBBLEWRAP)
    request = SandboxRequest(["true"], {}, "/", tmp_path, visible=[tmp_path / "absent"], isolation=Isolation.BUBBLEWRAP)
    with pytest.raises(SandboxError, match=r"Can't find source path .*absent"):
        start(request)


def test_a_link_out_of_opt_ml_is_not_followed(tmp_path):
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "model").symlink_to("/etc")
    request = SandboxRequest(["true"], {}, "/", tmp_path, read_only=["/opt/ml/model"], isolation=Isolation.BUBBLEWRAP)
    with pytest.raises(SandboxError, match="/opt/ml/model is a link that leads out of /opt/ml"):
        start(request)


def test_way_can_be_forced(monkeypatch):
    detect_isolation.cache_clear()
    monkeypatch.setenv("LOCALMAKER_SANDBOX", "none")
    assert detect_isolation() is Isolation.NONE
    detect_isolation.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/ml", "W/ml"),
        ("--dir=/opt/ml/model/x", "--dir=W/ml/model/x"),
        ("'/opt/ml'", "'W/ml'"),
        ("/opt/mlops /opt/ml-x /opt/ml.d", "/opt/mlops /opt/ml-x /opt/ml.d"),
        ("/usr/opt/ml", "/usr/opt/ml"),
        ("a=/opt/ml:/opt/ml/b", "a=W/ml:W/ml/b"),
    ],
)
def test_substitution_replaces_whole_components(text, expected):
    assert substitution.replace(text, Path("W")) == expected


def test_substitution_rewrites_programs_and_leaves_data(tmp_path):
    folder = tmp_path / "ml" / "input"
    folder.mkdir(parents=True)
    (folder / "run.sh").write_text("ls /opt/ml/model")
    (folder / "data.csv").write_text("/opt/ml/model")
    (folder / "latin.py").write_bytes(b"# \xe9 /opt/ml")
    with tarfile.open(folder / "sourcedir.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("a/train.py")
        member.size = 7
        tar.addfile(member, io.BytesIO(b"/opt/ml"))
    substitution.rewrite_files(tmp_path)
    assert (folder / "run.sh").read_text() == f"ls {tmp_path}/ml/model"
    assert (folder / "data.csv").read_text() == "/opt/ml/model"
    assert (folder / "latin.py").read_bytes() == b"# \xe9 /opt/ml"
    with tarfile.open(folder / "sourcedir.tar.gz") as tar:
        assert tar.extractfile("a/train.py").read().decode() == f"{tmp_path}/ml"


def test_a_job_starts_in_the_root_as_in_the_container_and_may_write_there(isolated):
    script = """
test "$PWD" = / && test "$HOME" = /root || exit 3
mkdir -p /opt/program /home/me /opt/ml/processing/more /data && touch /here /opt/program/a /etc/b ~/c || exit 4
mkdir made && echo found > made/file && tar czf /tmp/made.tar.gz -C made file && rm -r made
python3 -c 'import tarfile; tarfile.open("/tmp/made.tar.gz").extractall("..", filter="fully_trusted")'
cp file /opt/ml/processing/output/out/
"""
    description = isolated.process(script)
    assert description["ProcessingJobStatus"] == "Completed", description.get("FailureReason")
    assert isolated.read(f"{description['ProcessingJobName']}/out/file") == b"found\n"
    assert not Path("/here").exists()
    assert not Path("/opt/program").exists()


def test_without_a_sandbox_a_job_does_not_start_in_the_machines_root(make_jobs):
    jobs = make_jobs(isolation=Isolation.NONE)
    assert Path(read(jobs, jobs.process(f"pwd > {OUT}/place"), "place").strip()).is_relative_to(jobs.state_dir)
