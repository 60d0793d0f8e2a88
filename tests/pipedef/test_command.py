import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipedef.checks.registry import Scope, registered
from pipeline.cli import app
from pipeline.definition.bundle import build_bundle
from pipeline.deploy.checks import environment_subjects, script_sources
from pipeline.deploy.validation import validate_environments
from pipeline.settings.environment import environment_names, load_settings

pytestmark = pytest.mark.xdist_group("validate")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A place for compiled definitions that is this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def run(cache, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, ["validate", *arguments])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_shipped_environment_passes_every_check(cache):
    report = validate_environments(None, None)
    assert report.findings == ()
    assert report.skipped == ()
    flows = [f"{flow} pipeline of {name}" for name in environment_names() for flow in ("training", "scoring")]
    assert report.sources == (*flows, "steps")


def test_a_deployment_is_what_deploy_would_make(cache):
    settings = load_settings("dev")
    deployment = environment_subjects(settings, build_bundle())[0][1]
    assert deployment.pipeline == settings.training_pipeline_name
    assert {(trigger.bucket, trigger.key_pattern, trigger.pipeline) for trigger in deployment.triggers} == {
        (settings.raw_bucket, "raw/training/*.csv", settings.training_pipeline_name),
        (settings.raw_bucket, "raw/scoring/*.csv", settings.scoring_pipeline_name),
    }
    assert set(deployment.own_triggers[0].parameters) >= {"InputBucket", "InputKey"}


def test_a_good_file_passes(run, training, tmp_path):
    file = tmp_path / "good.json"
    file.write_text(json.dumps(training.content))
    result = run("--file", str(file))
    assert result.exit_code == 0
    assert "No problem found" in result.output
    assert "Not checked" in result.output
    assert "permissions" in result.output
    assert "→ Give --env NAME" in result.output


def test_a_bad_file_is_refused_with_file_step_field_and_fix(run, training, tmp_path):
    file = tmp_path / "bad.json"
    training.arguments("Train")["AlgorithmSpecification"]["TrainingImage"] = "own:latest"
    file.write_text(json.dumps(training.content))
    result = run("--file", str(file))
    assert result.exit_code == 4
    assert f"{file}, step Train, Arguments.AlgorithmSpecification.TrainingImage: own:latest" in result.output
    assert "[images-pinned]" in result.output
    assert "→ Name the version" in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("Version: 2020-12-01", "is no JSON"),
        ("[]", "a definition is a JSON object"),
        ('{"name": "x"}', "Steps has to be a list"),
        ('{"Steps": [{"Name": "A", "Type": "Training"}]}', "Steps[0].Arguments is missing"),
    ],
)
def test_what_is_no_definition_is_a_finding(run, tmp_path, text, words):
    file = tmp_path / "bad.json"
    file.write_text(text)
    shown = run("--file", str(file))
    assert shown.exit_code == 4
    assert shown.output.startswith(f"{file}: {words}")
    assert "[structure]" in shown.output
    answer = json.loads(run("--file", str(file), "--json", "--env", "prod").output)
    assert (answer["ok"], answer["checks"]) == (False, ["structure"])
    assert words in answer["findings"][0]["message"]


def test_a_name_moves_no_cursor(run, training, tmp_path):
    file = tmp_path / "bad.json"
    training.content["Steps"].append({"Name": "a\x1b[2J\nb", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}})
    file.write_text(json.dumps(training.content))
    result = run("--file", str(file))
    assert result.exit_code == 4
    assert "step a\\x1b[2J\\nb" in result.output
    assert "\x1b" not in result.output


def test_the_same_as_json(run, training, tmp_path):
    file = tmp_path / "bad.json"
    training.step("Train")["CacheConfig"]["ExpireAfter"] = "soon"
    file.write_text(json.dumps(training.content))
    result = run("--file", str(file), "--json")
    assert result.exit_code == 4
    answer = json.loads(result.output)
    assert answer["ok"] is False
    (finding,) = answer["findings"]
    assert finding["check"] == "cache-expiry"
    assert (finding["source"], finding["step"], finding["field"]) == (str(file), "Train", "CacheConfig.ExpireAfter")
    assert {"pipeline-name", "permissions"} <= set(answer["skipped"])


def test_a_file_is_checked_as_it_would_be_deployed(run, training, tmp_path):
    file = tmp_path / "prod.json"
    file.write_text(json.dumps(training.content))
    elsewhere = run("--file", str(file), "--env", "dev", "--json")
    assert elsewhere.exit_code == 4
    assert {finding["check"] for finding in json.loads(elsewhere.output)["findings"]} == {"permissions"}
    assert run("--file", str(file), "--env", "prod").exit_code == 0


def test_a_file_must_not_start_the_other_pipeline_either(run, training, tmp_path):
    file = tmp_path / "loop.json"
    raw = load_settings("prod").raw_bucket
    training.arguments("Transform")["TransformOutput"]["S3OutputPath"] = f"s3://{raw}/raw/scoring"
    file.write_text(json.dumps(training.content))
    answer = json.loads(run("--file", str(file), "--env", "prod", "--json").output)
    (finding,) = [finding for finding in answer["findings"] if finding["check"] == "trigger-loops"]
    assert finding["field"] == "Arguments.TransformOutput.S3OutputPath"
    assert "prod-scoring" in finding["message"]


def test_the_list_names_every_check(run):
    lines = run("--list").output.splitlines()
    assert [line.split()[0] for line in lines] == [check.name for check in registered()]
    described = json.loads(run("--list", "--json").output)
    assert {item["scope"] for item in described} == {str(scope) for scope in Scope}
    assert all(item["summary"] for item in described)


def bad_cases(source):
    """Names of the checks that a test file expects to find something: ``problems("name", …)`` but for ``… == []``."""
    tree = ast.parse(source)
    expected_empty = {
        id(node.left)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and ast.unparse(node.comparators[0]) == "[]"
    }
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and ast.unparse(node.func) == "problems" and id(node) not in expected_empty
        if called and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value


def test_every_check_has_a_test_in_which_it_finds_something():
    """That it finds nothing where nothing is wrong is what the shipped environments show, with all checks."""
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    tested = {name for source in tests for name in bad_cases(source)}
    assert {check.name for check in registered()} - tested == set()


def test_script_sources_are_those_that_travel():
    sources = script_sources()
    assert {"preprocess.py", "train.py", "analysis/model/fitting.py"} <= set(sources)
    assert not [name for name in sources if name.startswith(("/", "tests"))]


CHECK_A_FILE = """
import sys
from pipeline.cli import app
try:
    app(["validate", "--file", sys.argv[1], "--env", "prod"])
except SystemExit as end:
    assert "sagemaker" not in sys.modules and "boto3" not in sys.modules, "imported"
    sys.exit(end.code)
"""


def test_a_file_is_checked_without_sdk_and_network(training, tmp_path):
    file = tmp_path / "definition.json"
    file.write_text(json.dumps(training.content))
    # A namespace of its own has no network at all; where there may be none, proxies that lead nowhere have to do.
    alone = ["unshare", "--net"] if sys.platform == "linux" and os.geteuid() == 0 else []
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    result = subprocess.run(
        [*alone, sys.executable, "-c", CHECK_A_FILE, str(file)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **nowhere},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "No problem found" in result.stdout


def test_a_file_that_is_not_there_is_an_input_error(training, tmp_path):
    from pipeline.deploy.validation import validate_file
    from pipeline.errors import InputFileError

    with pytest.raises(InputFileError, match=r"missing\.json"):
        validate_file(tmp_path / "missing.json", None, None)
