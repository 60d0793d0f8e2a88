"""The serving container installs the model's code, as the image does, and does not start where that fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.sagemaker.jobs.conftest import RemoteJobs

from localmaker.images.environments import Interpreter, JobEnvironment
from localmaker.sandbox.sandbox import Isolation, detect_isolation
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.transform import user_module
from localmaker.services.sagemaker.jobs.transform.user_module import Installation

PROGRAM = """
import importlib.metadata, os
from pathlib import Path

def model_fn(folder):
    return str(Path(__file__).parent)

def transform_fn(model, body, kind, accept):
    try:
        return f"{model} {importlib.metadata.version('mine')}"
    except importlib.metadata.PackageNotFoundError:
        return f"{model} {sorted(os.listdir(model + '/../model'))}"
"""
SETUP = "from setuptools import setup\nsetup(name='mine', version='2.5', py_modules=['inference'])\n"
BROKEN = "raise SystemExit('this setup does not work')\n"
WITHOUT_ISOLATION = {"PIP_NO_BUILD_ISOLATION": "0"}


def transform(jobs: RemoteJobs, files: dict[str, str | bytes], **fields: object) -> tuple[dict[str, str], list[bytes]]:
    model = jobs.create_model({"code/inference.py": PROGRAM, **files}, **fields)
    request = jobs.transform_request(model, jobs.put(f"{model}/x.csv", "1\n"))
    description = jobs.run(JobKind.TRANSFORM, request)
    return description, list(jobs.outputs(description).values())


def test_it_is_served_from_where_the_container_copies_it(remote: RemoteJobs) -> None:
    description, [answer] = transform(remote, {"model.json": "{}"})
    assert description["TransformJobStatus"] == "Completed"
    folder, _, rest = answer.decode().partition(" ")
    assert folder.endswith("/ml/code")
    assert "model.json" in rest


def test_a_setup_of_its_own_is_installed(remote: RemoteJobs) -> None:
    for _ in range(2):
        _, [answer] = transform(remote, {"code/setup.py": SETUP}, Environment=WITHOUT_ISOLATION)
        assert answer.decode().endswith(" 2.5\n")


def test_a_setup_that_fails_ends_the_server(remote: RemoteJobs) -> None:
    description, answers = transform(remote, {"code/setup.py": BROKEN}, Environment=WITHOUT_ISOLATION)
    assert (description["TransformJobStatus"], answers) == ("Failed", [])
    assert "this setup does not work" in remote.log(JobKind.TRANSFORM, description["TransformJobName"])


@pytest.mark.skipif(detect_isolation() is Isolation.NONE, reason="without a sandbox every job has a network")
def test_an_isolated_server_finds_no_setuptools_unless_it_takes_the_images(remote: RemoteJobs) -> None:
    in_vain = {"PIP_RETRIES": "0"}
    for environment, status in [(in_vain, "Failed"), (WITHOUT_ISOLATION, "Completed"), (in_vain, "Failed")]:
        description, _ = transform(remote, {}, EnableNetworkIsolation=True, Environment=environment)
        assert description["TransformJobStatus"] == status
        log = remote.log(JobKind.TRANSFORM, description["TransformJobName"])
        assert ("No matching distribution found for setuptools>=40.8.0" in log) is (status == "Failed")


@pytest.fixture
def environment(tmp_path: Path) -> JobEnvironment:
    return JobEnvironment(tmp_path / "environment", Interpreter(Path("/usr/bin/python3"), Path("/usr"), "3.12.1"))


def installation(folder: Path, environment: JobEnvironment, **fields: object) -> Installation:
    """Return how code of two modules is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("inference.py", "more.py"):
        (folder / name).write_text(str(folder))
    options = {"name": "inference", "variables": {}, "connected": True, "requirements": False, **fields}
    return user_module.installation(folder, environment=environment, **options)  # type: ignore[arg-type]


def test_what_has_succeeded_is_not_repeated(tmp_path: Path, environment: JobEnvironment) -> None:
    first = installation(tmp_path / "first", environment)
    assert first.wanted == ["."]
    assert installation(tmp_path / "second", environment).wanted == ["."]
    first.succeeded()
    assert installation(tmp_path / "third", environment).wanted == []
    others = [
        {"variables": {"PIP_NO_BUILD_ISOLATION": "0"}},
        {"connected": False},
        {"name": "other"},
        {"requirements": True},
    ]
    for number, fields in enumerate(others):
        assert installation(tmp_path / str(number), environment, **fields).wanted
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "setup.py").write_text(SETUP)
    own = installation(tmp_path / "own", environment)
    assert (own.wanted, own.marker) == (["."], None)
    assert (tmp_path / "own" / "setup.py").read_text() == SETUP


def test_another_file_beside_them_is_another_installation(tmp_path: Path, environment: JobEnvironment) -> None:
    installation(tmp_path / "first", environment).succeeded()
    (tmp_path / "second" / "package").mkdir(parents=True)
    (tmp_path / "second" / "package" / "data.txt").touch()
    assert installation(tmp_path / "second", environment).wanted == ["."]
