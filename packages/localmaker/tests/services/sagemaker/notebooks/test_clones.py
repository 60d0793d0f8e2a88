"""The repositories of an instance: cloned at its first start, with the password of a secret that nothing shows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from localmaker.services.sagemaker.notebooks.clone import CloneError, Repository, check_url

PASSWORD = "pass-9f3b-word"
LOOK = """
cd /home/ec2-user/SageMaker/demo && cat a.txt && git rev-parse --abbrev-ref HEAD
git config --get remote.origin.url
env | grep -i -c askpass
git config --list --show-origin | grep -c credential
exit 0
"""


@pytest.fixture
def secret(endpoint, unique):
    secrets = endpoint.client("secretsmanager")
    text = json.dumps({"username": "ada", "password": PASSWORD})
    return secrets.create_secret(Name=unique, SecretString=text)["ARN"]


def repository(notebooks, url, **config):
    notebooks.sagemaker.create_code_repository(
        CodeRepositoryName=notebooks.unique, GitConfig={"RepositoryUrl": url, **config}
    )
    return notebooks.unique


def test_the_default_repository_is_cloned_at_its_branch(notebooks, git_server):
    git_server.commit("demo", {"a.txt": "main"})
    url = git_server.commit("demo", {"a.txt": "work"}, branch="work")
    more = git_server.commit("more", {"b.txt": "more"})
    name = repository(notebooks, url, Branch="work")
    found = notebooks.run(LOOK, DefaultCodeRepository=name, AdditionalCodeRepositories=[more])
    assert found["NotebookInstanceStatus"] == "InService", found
    assert notebooks.log() == ["workwork", url, "0", "0"]
    notebooks.stop()
    # What was pushed meanwhile is the script's to pull, and what was cloned stays.
    git_server.commit("demo", {"a.txt": "newer"}, branch="work")
    asked = len(git_server.paths)
    notebooks.start()
    assert notebooks.log()[4:] == ["workwork", url, "0", "0"]
    assert len(git_server.paths) == asked
    assert any(path.startswith("/more.git/") for path in git_server.paths)


def test_the_password_is_used_and_nowhere_to_be_found(notebooks, git_server, secret, endpoint):
    git_server.credentials = ("ada", PASSWORD)
    url = git_server.commit("demo", {"a.txt": "hello\n"})
    seen = (
        "grep -r -l -a -e pass-9f3b /home /tmp /root /opt/notebook /proc/[0-9]*/environ 2>/dev/null | grep -v /tmp/On"
    )
    found = notebooks.run(
        LOOK.replace("exit 0", f"{seen}; exit 0"), DefaultCodeRepository=repository(notebooks, url, SecretArn=secret)
    )
    assert found["NotebookInstanceStatus"] == "InService", (found, notebooks.log())
    assert notebooks.log() == ["hello", "main", url, "0", "0"]
    for folder in (endpoint.state_dir / "notebook-instances", endpoint.state_dir / "endpoint.log"):
        grep = subprocess.run(
            ["grep", "-r", "-a", "-l", PASSWORD, str(folder)], capture_output=True, text=True, check=False
        )
        assert grep.stdout == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"credentials": ("ada", "other")}, "fatal: Authentication failed for"),
        ({"Branch": "nowhere"}, "fatal: Remote branch nowhere not found"),
        ({"path": "nowhere"}, "not found"),
        ({"credentials": ("ada", "other"), "SecretArn": None}, "fatal: could not read Username for"),
    ],
)
def test_a_clone_that_fails(notebooks, git_server, secret, change, reason):
    git_server.credentials = change.get("credentials", ("ada", PASSWORD))
    url = git_server.commit("demo", {"a.txt": "hello\n"}).replace("demo", change.get("path", "demo"))
    config = {"SecretArn": secret, **{key: change[key] for key in ("Branch", "SecretArn") if key in change}}
    name = repository(notebooks, url, **{key: value for key, value in config.items() if value})
    found = notebooks.run("touch /home/ec2-user/SageMaker/ran", DefaultCodeRepository=name)
    assert found["NotebookInstanceStatus"] == "Failed"
    assert reason in found["FailureReason"]
    assert PASSWORD not in found["FailureReason"]
    assert notebooks.log() == []
    # Another start tries again.
    git_server.credentials = ("ada", PASSWORD) if "SecretArn" not in change else None
    if not {"path", "Branch"} & change.keys():
        assert notebooks.start()["NotebookInstanceStatus"] == "InService", notebooks.describe()
        assert "FailureReason" not in notebooks.describe()


@pytest.mark.parametrize("text", ["no json", '{"username": "ada"}', '{"username": "a", "password": "b\\nc"}', '["a"]'])
def test_a_secret_of_another_form(notebooks, git_server, endpoint, unique, text):
    arn = endpoint.client("secretsmanager").create_secret(Name=unique, SecretString=text)["ARN"]
    name = repository(notebooks, git_server.commit("demo", {"a.txt": ""}), SecretArn=arn)
    found = notebooks.run("true", DefaultCodeRepository=name)
    assert found["FailureReason"] == f'fatal: the secret {arn} must have the format {{"username": …, "password": …}}'


def test_a_secret_that_does_not_exist(notebooks, git_server):
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nowhere-abc123"
    name = repository(notebooks, git_server.commit("demo", {"a.txt": ""}), SecretArn=arn)
    found = notebooks.run("true", DefaultCodeRepository=name)
    assert "GetSecretValue" in found["FailureReason"]


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c true",
        "file:///etc",
        "ssh://git@example.com/x.git",
        "http://example.com/x.git",
        "http://127.0.0.1.example.com/x.git",
        "https://ada:word@example.com/x.git",
        "-u",
    ],
)
def test_urls_that_are_not_cloned(url):
    with pytest.raises(CloneError):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "folder"), [("https://x.org/a/b.git", "b"), ("https://x.org/a/b/", "b"), ("https://x.org/", "")]
)
def test_a_clone_has_the_name_of_its_repository(url, folder):
    assert Repository(url).folder == folder


def test_links_of_the_volume_lead_a_clone_nowhere(notebooks, git_server, tmp_path):
    outside: Path = tmp_path / "outside"
    outside.mkdir()
    url = git_server.commit("demo", {"a.txt": "hello\n"})
    notebooks.run(f"cd /home/ec2-user/SageMaker && ln -s {outside} .clone-demo && ln -s {outside}/x demo || true")
    notebooks.stop()
    notebooks.sagemaker.update_notebook_instance(NotebookInstanceName=notebooks.unique, DefaultCodeRepository=url)
    notebooks.wait("", "Stopped")
    assert notebooks.start()["NotebookInstanceStatus"] == "InService"
    assert list(outside.iterdir()) == []
