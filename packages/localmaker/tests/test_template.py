"""Programs that are forked from a process which has imported what they need are like those of a new interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from localmaker.daemon import running_endpoint
from localmaker.template import Program, Template

PROGRAM = """
import json, os, random, sys
descriptors = [int(one) for one in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{one}")]
print(json.dumps({
    "name": __name__, "arguments": sys.argv[1:], "variable": os.environ.get("GIVEN"), "home": os.environ.get("HOME"),
    "folder": os.getcwd(), "imported": "wave" in sys.modules, "leader": os.getsid(0) == os.getpid(),
    "input": sys.stdin.read(), "random": random.random(), "descriptors": sorted(descriptors),
}))
print("said", file=sys.stderr)
os.write(int(sys.argv[1]), b"passed") if sys.argv[1:] else None
sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "endless.py").write_text("while True: pass")
    return tmp_path


@pytest.fixture
def made() -> Iterator[Template]:
    found = Template(["wave"], os.environ)
    yield found
    found.close()


def start(made: Template, folder: Path, name: str = "program", *arguments: str, **options: Any) -> Program | None:
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return made.start(
            name,
            arguments,
            stdout=out.fileno(),
            stderr=err.fileno(),
            environment={"GIVEN": "yes"},
            directory=folder,
            **options,
        )


def test_a_program_has_what_a_new_interpreter_would_give_it(made: Template, folder: Path) -> None:
    reading, writing = os.pipe()
    program = start(made, folder, "program", str(writing), pass_fds=[writing])
    os.close(writing)
    assert program is not None
    with program.stdin as stdin:
        stdin.write(b"typed")
    assert program.wait() == 7
    with os.fdopen(reading) as passed:
        assert passed.read() == "passed"
    found = json.loads((folder / "out").read_text())
    found.pop("random")
    assert found == {
        "name": "__main__",
        "arguments": [str(writing)],
        "variable": "yes",
        "home": None,
        "folder": str(folder),
        "imported": True,
        "leader": True,
        "input": "typed",
        "descriptors": [0, 1, 2, writing],
    }
    assert (folder / "err").read_text() == "said\n"


def test_programs_run_beside_each_other_and_can_be_killed(made: Template, folder: Path) -> None:
    endless = start(made, folder, "endless")
    assert endless is not None
    seen = set()
    for _ in range(2):
        program = start(made, folder)
        assert program is not None
        program.stdin.close()
        assert program.wait() == 7
        seen.add(json.loads((folder / "out").read_text())["random"])
    assert len(seen) == 2
    os.killpg(endless.pid, signal.SIGKILL)
    endless.stdin.close()
    assert endless.wait() == -signal.SIGKILL


def test_programs_outlive_the_template(folder: Path) -> None:
    made = Template(["wave"], os.environ)
    program = start(made, folder)
    made.close()
    assert program is not None
    program.stdin.close()
    assert program.wait() == 7


def test_what_cannot_be_imported_makes_no_template(folder: Path) -> None:
    made = Template(["no_such_module"], os.environ)
    assert start(made, folder) is None
    made.close()


def test_endpoints_are_forked_and_share_no_identifiers(tmp_path: Path) -> None:
    roles, parents = set(), []
    for number in range(2):
        with running_endpoint(tmp_path / str(number)) as endpoint:
            role = endpoint.client("iam").create_role(RoleName="one", AssumeRolePolicyDocument="{}")["Role"]
            roles.add(role["RoleId"])
            parents.append(psutil.Process(endpoint.running.pid).cmdline()[1:3])
    assert len(roles) == 2
    assert parents == [["-m", "localmaker.template"]] * 2


@pytest.mark.parametrize("name", ["PYTHONUTF8", "MOTO_S3_DEFAULT_MAX_KEYS"])
def test_variables_that_are_read_at_a_start_get_an_interpreter_of_their_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with running_endpoint(tmp_path) as endpoint:
        assert psutil.Process(endpoint.running.pid).cmdline()[1:3] == ["-m", "localmaker.process"]


def test_the_template_ends_with_the_process_that_made_it(folder: Path, eventually: Callable[..., Any]) -> None:
    program = (
        "import os; from localmaker.template import Template\n"
        "made = Template(['wave'], os.environ); print(made._process.pid); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    eventually(lambda: not psutil.pid_exists(int(done.stdout)))
