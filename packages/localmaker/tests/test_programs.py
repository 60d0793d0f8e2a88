"""`localmaker run`: a program finds the endpoint, its role, and whatever its own environment has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localmaker.daemon import EndpointHandle

pytestmark = pytest.mark.usefixtures("image")

# As the SageMaker SDK asks for the account and the role.
ASKS_AWS_ITSELF = """
import boto3
client = boto3.client("sts", region_name="eu-west-1", endpoint_url="https://sts.eu-west-1.amazonaws.com")
print(client.get_caller_identity()["Arn"])
"""


def run(endpoint: EndpointHandle, *arguments: str, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "localmaker", "run", "--state-dir", str(endpoint.state_dir), *arguments]
    done = subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_a_program_that_names_awss_own_address_reaches_the_endpoint(endpoint: EndpointHandle) -> None:
    done = run(endpoint, sys.executable, "-c", ASKS_AWS_ITSELF, AWS_PROFILE="gone", AWS_SESSION_TOKEN="another")
    assert done.stdout.startswith("arn:aws:sts::123456789012:user/")


@pytest.mark.parametrize("_again", ["created", "found"])
def test_it_acts_as_a_role_like_a_notebook(endpoint: EndpointHandle, _again: str) -> None:
    done = run(endpoint, "--role", "programs-notebook", sys.executable, "-c", ASKS_AWS_ITSELF)
    assert done.stdout == "arn:aws:sts::123456789012:assumed-role/programs-notebook/SageMaker\n"
    role = endpoint.client("iam").get_role(RoleName="programs-notebook")["Role"]
    assert "sagemaker.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])


def test_addresses_of_others_are_left_alone(endpoint: EndpointHandle) -> None:
    program = "import boto3; print(boto3.client('sts', endpoint_url='http://127.0.0.1:9').meta.endpoint_url)"
    assert run(endpoint, sys.executable, "-c", program).stdout == "http://127.0.0.1:9\n"


def test_the_environments_own_start_still_happens(endpoint: EndpointHandle, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('its own')\n", encoding="utf-8")
    inherited = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    # The command itself prints it, too.
    done = run(endpoint, sys.executable, "-c", "print('done')", PYTHONPATH=inherited)
    assert done.stdout.endswith("its own\ndone\n")


def test_the_programs_arguments_and_exit_code_are_its_own(endpoint: EndpointHandle) -> None:
    program = "import sys; print(sys.argv[1:]); sys.exit(3)"
    done = run(endpoint, sys.executable, "-c", program, "--role", "x", "--help", code=3)
    assert done.stdout == "['--role', 'x', '--help']\n"


def test_a_missing_program_is_said_in_one_sentence(endpoint: EndpointHandle) -> None:
    done = run(endpoint, "no-such-program", code=8)
    assert "there is no program 'no-such-program'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_endpoint_it_says_how_to_start_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "localmaker", "run", "--state-dir", str(tmp_path), "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 8
    assert f"localmaker up --state-dir {tmp_path} --detach" in " ".join(done.stderr.split())
