"""The command line, as a process where that matters."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from pipedef.cli import app
from pipedef.linter import registered


@pytest.fixture
def run():
    """Return a function that runs the command with standard input."""
    return lambda *arguments, text=None: CliRunner().invoke(app, arguments, input=text)


@pytest.fixture
def file(training, tmp_path):
    """Write a definition with a warning."""
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = "own:latest"
    path = tmp_path / "definition.json"
    path.write_text(json.dumps(training.content), encoding="utf-8")
    return path


@pytest.fixture
def wrong(training, tmp_path):
    """Write a definition with an error."""
    training.step("Train")["CacheConfig"]["ExpireAfter"] = "soon"
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(training.content), encoding="utf-8")
    return path


def test_a_warning_is_shown_and_is_no_failure(run, file):
    result = run("check", str(file))
    assert result.exit_code == 0
    assert result.output.startswith(f"{file}, step Train, Arguments.AlgorithmSpecification.TrainingImage: warning: own")
    assert "1 warning found by" in result.output


def test_strict_fails_for_a_warning(run, file):
    assert run("check", "--strict", str(file)).exit_code == 1
    assert run("check", "--strict", "--ignore", "images-pinned", str(file)).exit_code == 0


def test_an_error_is_a_failure(run, file, wrong):
    result = run("check", str(file), str(wrong))
    assert result.exit_code == 1
    assert f"{wrong}, step Train, CacheConfig.ExpireAfter: error: " in result.output
    assert run("check", "--select", "names", str(wrong)).exit_code == 0


def test_standard_input_is_checked(run, wrong):
    result = run("check", "-", text=wrong.read_text(encoding="utf-8"))
    assert result.exit_code == 1
    assert result.output.startswith("stdin, step Train, CacheConfig.ExpireAfter: error: ")


def test_json_has_a_report_for_each_file(run, file, wrong):
    result = run("check", "--json", str(file), str(wrong))
    first, second = json.loads(result.output)
    assert [finding["severity"] for finding in first["findings"]] == ["warning"]
    assert {finding["check"] for finding in second["findings"]} >= {"cache-expiry"}
    assert (first["ok"], second["ok"]) == (False, False)
    assert first["sources"] == [str(file)]


def test_the_checks_are_listed(run):
    assert [line.split()[0] for line in run("checks").output.splitlines()] == [check.name for check in registered()]
    assert {item["severity"] for item in json.loads(run("checks", "--json").output)} == {"error", "warning"}


def test_the_version_is_shown(run):
    assert run("--version").output == f"pipedef {version('pipedef')}\n"


CHECK_A_FILE = """
import sys
from pipedef.cli import main
sys.argv = ["pipedef", "check", sys.argv[1]]
try:
    main()
except SystemExit as end:
    assert "sagemaker" not in sys.modules and "boto3" not in sys.modules, "imported"
    sys.exit(end.code)
"""


@pytest.mark.parametrize("command", [["-m", "pipedef", "check"], ["-c", CHECK_A_FILE]])
def test_a_file_is_checked_without_sdk_and_network(compiled, tmp_path, command):
    path = tmp_path / "definition.json"
    path.write_text(compiled["training"], encoding="utf-8")
    # A namespace of its own has no network at all; where there may be none, proxies that lead nowhere have to do.
    alone = ["unshare", "--net"] if sys.platform == "linux" and os.geteuid() == 0 else []
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    result = subprocess.run(
        [*alone, sys.executable, *command, str(path)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUTF8": "1", **nowhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "No problem found" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "missing.json"], "missing.json can't be read"),
        (["check", "--select", "nmaes", "missing.json"], "There is no check named nmaes"),
        (["check", "--ignore", "nmaes", "missing.json"], "pipedef checks"),
    ],
)
def test_wrong_usage_is_one_message(tmp_path, arguments, words):
    result = subprocess.run(
        [sys.executable, "-m", "pipedef", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_text_that_is_not_utf_8_is_wrong_usage(tmp_path):
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xe9"}')
    command = [sys.executable, "-m", "pipedef", "check"]
    for given, text in ((["latin.json"], b""), (["-"], b'{"a": "\xe9"}')):
        result = subprocess.run([*command, *given], cwd=tmp_path, input=text, capture_output=True, check=False)
        assert result.returncode == 2
        assert b"can't be read" in result.stderr


def test_what_is_no_definition_says_why_the_other_checks_did_not_run(run):
    result = run("check", "-", text="[]")
    assert result.exit_code == 1
    assert "The other checks did not run, because this is not a definition." in result.output
    assert "deployment" not in result.output


def test_a_byte_order_mark_is_no_problem(run, file):
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert run("check", str(file)).exit_code == 0


def test_a_directory_is_refused_in_one_clause(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pipedef", "check", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path} can't be read: Is a directory\n"
