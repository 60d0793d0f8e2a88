"""The program against the local endpoint, whose instances run the start script, and a Git server with a password."""

from __future__ import annotations

import base64
import io
import json
import subprocess
from pathlib import Path

import pytest

from localmaker.daemon import running_endpoint
from pipeline.settings.environment import load_settings
from pipeline.source_control.access import operator_permissions
from tests.git_server import git, git_server
from tests.pipeline.source_control.test_credential import Watch

FIRST, SECOND = "f1rst-s3cret-t0ken", "s3cond-s3cret-t0ken"
NAME, PROGRAM = "bikeshare-local-notebook", "connect_github.py"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with running_endpoint(tmp_path_factory.mktemp("state"), enforce_iam=True) as running:
        iam, settings = running.client("iam"), load_settings("local")
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="operator", AssumeRolePolicyDocument=document)
        policy = json.dumps(operator_permissions(settings))
        iam.put_role_policy(RoleName="operator", PolicyName="p", PolicyDocument=policy)
        yield running


@pytest.fixture
def account(endpoint, monkeypatch):
    """An account that enforces IAM, in which the program has what `permissions` prints, and no more."""
    for name, value in endpoint.environment().items():
        monkeypatch.setenv(name, value)
    role = load_settings("local").role_arn("operator")
    keys = endpoint.client("sts").assume_role(RoleArn=role, RoleSessionName="ada")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys["SessionToken"])
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    return endpoint


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    with git_server(tmp_path / "server", ("ada", FIRST)) as running:
        running.create("work")
        running.commit("work", {"a.txt": "a\n"})
        yield running


@pytest.fixture
def token(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "token"
        path.write_text(json.dumps({"username": "ada", "password": text}))
        path.chmod(0o600)
        return path

    return write


def volume(endpoint) -> Path:
    [found] = (endpoint.state_dir / "notebook-instances").glob("*/volume")
    return found


def restart(endpoint) -> None:
    sagemaker = endpoint.client("sagemaker")
    sagemaker.stop_notebook_instance(NotebookInstanceName=NAME)
    sagemaker.get_waiter("notebook_instance_stopped").wait(NotebookInstanceName=NAME, WaiterConfig={"Delay": 1})
    sagemaker.start_notebook_instance(NotebookInstanceName=NAME)
    sagemaker.get_waiter("notebook_instance_in_service").wait(NotebookInstanceName=NAME, WaiterConfig={"Delay": 1})


def test_nothing_is_changed_by_looking_without_consent_or_a_good_credential(account, server, token, call_program):
    url = f"{server.url}/work.git"
    assert call_program(PROGRAM, "status").code == 2
    shown = call_program(PROGRAM, url, "--plan")
    assert shown.code == 2
    assert f"+ notebook instance    {NAME}" in shown.out
    assert "nobody has agreed" in call_program(PROGRAM, url, "--credential-file", token(FIRST)).err
    assert "A credential is needed" in call_program(PROGRAM, url, "--yes").err
    refused = call_program(PROGRAM, url, "--yes", "--credential-file", token("wrong"))
    assert (refused.code, "Authentication failed" in refused.err) == (5, True)
    assert call_program(PROGRAM, "rotate", "--credential-file", token(FIRST)).code == 5
    assert call_program(PROGRAM, "status").code == 2


def test_connect_pull_diverge_rotate_and_disconnect(account, server, token, call_program, eventually):
    """One story, since each start of an instance takes seconds."""
    url = f"{server.url}/work.git"
    outputs = []

    def call(*arguments):
        done = call_program(PROGRAM, *arguments)
        outputs.append(done.out + done.err)
        return done

    with Watch(FIRST, SECOND) as watch:
        done = call(url, "--yes", "--credential-file", token(FIRST))
        assert (done.code, done.err[-300:]) == (0, done.err[-300:])
        clone = volume(account) / "work"
        log = volume(account) / ".pull-on-start.log"
        eventually(lambda: log.exists() and "Nothing to pull" in log.read_text())
        assert "No changes" in call(url).out
        assert f"Notebook instance {NAME} is connected" in call(url, "--notebook", "another", "--yes").err
        told = call("status", "--json")
        assert (told.code, json.loads(told.out)["url"]) == (0, url)

        # Commits that are pushed meanwhile arrive with the next start.
        newest = server.commit("work", {"b.txt": "b\n"})
        restart(account)
        eventually(lambda: git(clone, "rev-parse", "HEAD") == newest and "Fast-forwarded" in log.read_text())

        # Rotated: what the server does not take is not written; then the next start uses the new one.
        server.credentials = ("ada", SECOND)
        assert call("rotate", "--credential-file", token(FIRST)).code == 5
        assert call("rotate", "--credential-file", token(SECOND)).code == 0

        # Diverged: what is here goes to a rescue branch, also on the server.
        (clone / "a.txt").write_text("mine\n")
        (clone / "new.txt").write_text("mine\n")
        server.commit("work", {"a.txt": "theirs\n"})
        restart(account)
        notice = volume(account) / "00-GIT-NOTICE.md"
        eventually(notice.exists)
        assert "on GitHub, too" in notice.read_text()
        [rescue] = git(server.folder / "work.git", "for-each-ref", "--format=%(refname)", "refs/heads/rescue").split()
        assert git(server.folder / "work.git", "show", f"{rescue}:new.txt") == "mine"
        assert (clone / "a.txt").read_text() == "mine\n"

        outputs += [definitions(account), log.read_text(), notice.read_text(), (clone / ".git" / "config").read_text()]

        # Disconnected: the instance and its work stay.
        assert [call("disconnect", "--yes").code, call("status").code] == [0, 2]
        described = account.client("sagemaker").describe_notebook_instance(NotebookInstanceName=NAME)
        assert "DefaultCodeRepository" not in described
        assert described["NotebookInstanceStatus"] == "InService"
        assert (clone / "new.txt").read_text() == "mine\n"
        assert call("disconnect", "--yes").code == 0

        # Connected again, the instance that is there is associated.
        again = call(url, "--yes", "--credential-file", token(SECOND))
        assert (again.code, f"~ notebook instance    {NAME}" in again.out) == (0, True)

        move_to_another_branch(server, call, url)
        eventually(lambda: json.loads(call("status", "--json").out)["notebook_status"] == "InService")
        assert call("disconnect", "--yes", "--delete-notebook").code == 0
        assert not list((account.state_dir / "notebook-instances").glob("*/volume"))

    assert watch.looked
    assert watch.found == []
    assert not [text for text in outputs for secret in (FIRST, SECOND) if secret in text]
    assert_nowhere_but_in_secrets_manager(account.state_dir)


def move_to_another_branch(server, call, url: str) -> None:
    """A new code repository and another script leave the instance running, and so does what AWS refuses."""
    server.commit("work", {"c.txt": "c\n"}, branch="next")
    moved = call(url, "--branch", "next", "--yes")
    assert (moved.code, "± code repository" in moved.out, "stopped for this" in moved.out) == (0, True, False)
    assert json.loads(call("status", "--json").out)["branch"] == "next"
    assert call(url, "--branch", "next", "--volume-gib", "5", "--yes").code == 5


def assert_nowhere_but_in_secrets_manager(state: Path) -> None:
    """Look through all that the endpoint has written, but for the database that Secrets Manager is in, too."""
    found = subprocess.run(
        ["grep", "-rlaE", f"{FIRST}|{SECOND}", str(state)], capture_output=True, text=True, check=False
    )
    named = {str(Path(line).relative_to(state)).partition(".db")[0] for line in found.stdout.splitlines()}
    assert named == {"aws/state"}


def definitions(endpoint) -> str:
    """Return all that other services of AWS say of the connection, and their logs."""
    sagemaker, logs, name = endpoint.client("sagemaker"), endpoint.client("logs"), "bikeshare-local"
    script = sagemaker.describe_notebook_instance_lifecycle_config(
        NotebookInstanceLifecycleConfigName=f"{name}-pull-on-start"
    )
    described = [
        sagemaker.describe_notebook_instance(NotebookInstanceName=NAME),
        sagemaker.describe_code_repository(CodeRepositoryName=f"{name}-github"),
        base64.b64decode(script["OnStart"][0]["Content"]).decode(),
        endpoint.client("secretsmanager").describe_secret(SecretId=f"AmazonSageMaker-{name}-github"),
        endpoint.client("iam").get_role_policy(RoleName=NAME, PolicyName="generated"),
        *(logs.filter_log_events(logGroupName=one["logGroupName"]) for one in logs.describe_log_groups()["logGroups"]),
    ]
    return "\n".join(map(str, described))


def test_an_instance_of_others_keeps_its_role_and_its_start_script(account, server, call_program):
    sagemaker, url = account.client("sagemaker"), f"{server.url}/work.git"
    settings = {"InstanceType": "ml.t3.large", "RoleArn": load_settings("local").role_arn("operator")}
    sagemaker.create_notebook_instance(NotebookInstanceName="theirs", **settings)
    done = call_program(PROGRAM, url, "--notebook", "theirs", "--yes")
    assert done.code == 5
    assert "~ notebook instance    theirs\n" in done.out
    assert "role:" not in done.out
    assert "role operator: may not secretsmanager:GetSecretValue" in done.out
    assert "stopped for this, and started again" in done.out

    sagemaker.create_notebook_instance_lifecycle_config(NotebookInstanceLifecycleConfigName="script")
    settings["LifecycleConfigName"] = "script"
    sagemaker.create_notebook_instance(NotebookInstanceName="theirs-too", **settings)
    done = call_program(PROGRAM, url, "--notebook", "theirs-too", "--yes")
    assert done.code == 5
    assert "has lifecycle configuration script, and takes one" in done.err


@pytest.mark.parametrize("url", ["https://evil.example/a/b", "https://ada:s3cret@github.com/a/b"])
def test_another_host_is_refused_before_anything_is_asked(account, call_program, url):
    done = call_program(PROGRAM, url, "--yes")
    assert done.code == 5
    assert "s3cret" not in done.err
