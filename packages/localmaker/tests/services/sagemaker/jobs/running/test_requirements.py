"""A job's requirements.txt reaches neither the user's files nor, if the job has none, the network."""

import hashlib
import socket
import uuid
import zipfile

import pytest

from localmaker.images.requirements import SOURCE_VARIABLE
from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind

KIND = JobKind.PROCESSING
INSTALL = "pip install -r /opt/ml/processing/input/code/requirements.txt"


def run(jobs, requirements, script=INSTALL, **fields):
    prefix = f"code-{jobs.name()}"
    jobs.put(f"{prefix}/requirements.txt", requirements)
    return jobs.process(script, inputs={"code": f"s3://artifacts/{prefix}/"}, outputs=(), **fields)


def test_a_direct_url_fails_the_job_before_it_starts(make_jobs):
    jobs = make_jobs()
    description = run(jobs, "numpy\nx @ git+https://example.org/x.git\n", "echo started")
    assert description["FailureReason"].startswith(
        'ClientError: requirements.txt, line 2: "x @ git+https://example.org/x.git" is a direct URL.'
    )
    assert "started" not in jobs.log(KIND, description["ProcessingJobName"])


def test_a_job_that_installs_a_source_package_itself_is_refused_it(make_jobs):
    jobs = make_jobs()
    description = run(jobs, "# none\n", "pip install --no-deps sagemaker-training==4.8.1")
    assert description["ProcessingJobStatus"] == "Failed"
    assert "No matching distribution found for sagemaker-training" in jobs.log(KIND, description["ProcessingJobName"])


@pytest.mark.parametrize("allowed", [False, True])
def test_an_isolated_job_installs_without_the_network(make_jobs, monkeypatch, allowed):
    if detect_isolation() is Isolation.NONE:
        pytest.skip("without a sandbox a job shares the machine's network")
    monkeypatch.setenv(SOURCE_VARIABLE, "1" if allowed else "0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        index = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        monkeypatch.setenv("PIP_INDEX_URL", index)
        jobs = make_jobs()
        description = run(
            jobs,
            f"--index-url {index}\nlocalmaker-absent==1.0\n",
            f"{INSTALL} --retries 0",
            NetworkConfig={"EnableNetworkIsolation": True},
        )
        assert description["ProcessingJobStatus"] == "Failed"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def silent_index(monkeypatch):
    """Serve an index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        yield server


def start_build(jobs, requirements, **fields):
    """Start a job with requirements; return its name."""
    prefix = f"code-{jobs.name()}"
    jobs.put(f"{prefix}/requirements.txt", requirements)
    inputs = {"code": f"s3://artifacts/{prefix}/"}
    request = jobs.processing_request("echo started", inputs=inputs, outputs=(), **fields)
    jobs.service.create(KIND, request)
    return request[KIND.name_field]


def test_a_stop_ends_a_build_and_the_wait_for_another_ones(make_jobs, silent_index):
    jobs, requirements = make_jobs(), f"localmaker-{uuid.uuid4().hex}\n"
    builds = start_build(jobs, requirements)
    connection, _ = silent_index.accept()
    waits = start_build(jobs, requirements)
    with connection:
        for name in (waits, builds):
            jobs.service.stop(KIND, name)
            description = jobs.service.wait(KIND, name)
            assert description["ProcessingJobStatus"] == "Stopped"
            assert "FailureReason" not in description
            assert "started" not in jobs.log(KIND, name)


def test_a_build_ends_with_the_jobs_time(make_jobs, silent_index):
    jobs = make_jobs()
    name = start_build(jobs, f"localmaker-{uuid.uuid4().hex}\n", StoppingCondition={"MaxRuntimeInSeconds": 1})
    description = jobs.service.wait(KIND, name)
    assert description["ProcessingJobStatus"] == "Stopped"
    assert description["FailureReason"] == (
        "ClientError: Job exceeded the maximum runtime of 1 seconds, so it was stopped."
    )


@pytest.fixture
def with_wheels(make_jobs, tmp_path):
    """Run jobs whose lock names a wheel by its hash, which no index has."""
    jobs = make_jobs()
    name = f"brought_{uuid.uuid4().hex}"
    wheel = tmp_path / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()

    def run_job(script, *, wheels, isolated):
        prefix = f"code-{jobs.name()}"
        jobs.put(f"{prefix}/requirements.txt", f"{name}==1.0 \\\n    --hash=sha256:{digest}\n")
        for other in wheels:
            jobs.put(f"{prefix}-wheels/{other}", wheel.read_bytes() if other == wheel.name else b"another")
        inputs = {"code": f"s3://artifacts/{prefix}/", "wheels": f"s3://artifacts/{prefix}-wheels/"}
        fields = {"NetworkConfig": {"EnableNetworkIsolation": True}} if isolated else {}
        description = jobs.process(script.replace("NAME", name), inputs=inputs, outputs=(), **fields)
        return description, jobs.log(KIND, description["ProcessingJobName"])

    return run_job, wheel.name


@pytest.mark.parametrize("isolated", [False, True])
def test_locked_requirements_are_there_for_a_job_that_brings_their_wheels_along(with_wheels, isolated):
    run_job, wheel = with_wheels
    description, log = run_job("python3 -c 'import NAME'", wheels=[wheel], isolated=isolated)
    assert description["ProcessingJobStatus"] == "Completed", log


@pytest.mark.parametrize("isolated", [False, True])
def test_they_are_not_where_one_of_the_wheels_is_missing(with_wheels, isolated):
    run_job, wheel = with_wheels
    description, log = run_job("python3 -c 'import NAME'", wheels=[wheel.replace("1.0", "1.1")], isolated=isolated)
    assert description["ProcessingJobStatus"] == "Failed"
    assert "ModuleNotFoundError" in log
