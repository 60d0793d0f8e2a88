"""`bikeshare validate`: the template's own definitions and scripts under every check of the linter."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from budgets import examples
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipedef.checks.registry import Scope, registered
from pipedef.document.definition import BRANCHES, read_definition
from pipedef.errors import DefinitionError
from pipedef.linter import validate
from pipeline.cli import app
from pipeline.definition.bundle import build_bundle
from pipeline.definition.compile import compile_definition
from pipeline.deploy.checks import (
    deployment_around,
    environment_subjects,
    refuse_wrong_definitions,
    script_sources,
    validate_environments,
)
from pipeline.deploy.script_conventions import PROJECT
from pipeline.errors import DefinitionError as DefinitionRefusedError
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import environment_names, load_settings

pytestmark = pytest.mark.xdist_group("validate")

ROOT = Path(__file__).parents[3]


ISOLATED = """
environment = "x"
account_id = "111122223333"
region = "eu-west-1"

[instances]
warm_pool_seconds = 600

[instances.steps.Transform]
count = 2

[network]
subnets = ["subnet-0123456789abcdef0"]
security_groups = ["sg-0123456789abcdef0"]
isolated_steps = ["Preprocess", "Train", "CreateModel"]
"""


class Draft:
    """A definition that a test changes before it is checked."""

    def __init__(self, text):
        self.content = json.loads(text)

    def _steps(self, items):
        for item in items:
            yield item
            for branch in BRANCHES:
                yield from self._steps(item["Arguments"].get(branch, []))

    def step(self, name):
        return next(item for item in self._steps(self.content["Steps"]) if item["Name"] == name)

    def arguments(self, name):
        return self.step(name)["Arguments"]


@pytest.fixture(scope="module")
def prod():
    return load_settings("prod")


@pytest.fixture(scope="module")
def bundle():
    return build_bundle()


@pytest.fixture(scope="module")
def compiled(prod, bundle):
    return {flow: compile_definition(prod, flow, bundle) for flow in FLOWS}


@pytest.fixture
def training(compiled):
    return Draft(compiled["training"])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Keep compiled definitions in a folder of this module's own."""
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


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["local", "dev"])
def test_another_data_set_passes_every_check(cache, monkeypatch, name):
    monkeypatch.setenv("BIKESHARE_DATASET", "red_wine")
    report = validate_environments(name, None)
    assert report.findings == ()
    assert report.skipped == ()


def test_a_deployment_is_what_deploy_would_make(cache):
    settings = load_settings("dev")
    deployment = environment_subjects(settings, build_bundle())[0][1]
    assert deployment.pipeline == settings.training_pipeline_name
    assert {(trigger.bucket, trigger.key_pattern, trigger.pipeline) for trigger in deployment.triggers} == {
        (settings.raw_bucket, "raw/training/*", settings.training_pipeline_name),
        (settings.raw_bucket, "raw/scoring/*", settings.scoring_pipeline_name),
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
    assert f"{file}, step Train, Arguments.AlgorithmSpecification.TrainingImage: warning: own:latest" in result.output
    assert "[images-pinned]" in result.output
    assert "→ Name the version" in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("Version: 2020-12-01", "is not JSON"),
        ("[]", "a definition is a JSON object"),
        ('{"name": "x"}', "Steps must be a list"),
        ('{"Steps": [{"Name": "A", "Type": "Training"}]}', "Steps[0].Arguments is missing"),
    ],
)
def test_what_is_no_definition_is_a_finding(run, tmp_path, text, words):
    file = tmp_path / "bad.json"
    file.write_text(text)
    shown = run("--file", str(file))
    assert shown.exit_code == 4
    assert shown.output.startswith(f"{file}: error: {words}")
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
    assert {finding["check"] for finding in json.loads(elsewhere.output)["findings"]} == {"functions", "permissions"}
    assert run("--file", str(file), "--env", "prod").exit_code == 0


def test_a_file_must_not_start_the_other_pipeline_either(run, training, tmp_path):
    file = tmp_path / "loop.json"
    raw = load_settings("prod").raw_bucket
    training.arguments("Transform")["TransformOutput"]["S3OutputPath"] = f"s3://{raw}/raw/scoring"
    file.write_text(json.dumps(training.content))
    answer = json.loads(run("--file", str(file), "--env", "prod", "--json").output)
    # Publishing is told to read there, and what a function writes the check can't know.
    found = {item["field"]: item["message"] for item in answer["findings"] if item["check"] == "trigger-loops"}
    assert set(found) == {"Arguments.TransformOutput.S3OutputPath", "Arguments.transform-uri"}
    assert all("prod-scoring" in message for message in found.values())


def test_the_list_names_every_check(run):
    lines = run("--list").output.splitlines()
    assert [line.split()[0] for line in lines] == [check.name for check in registered()]
    described = json.loads(run("--list", "--json").output)
    assert {item["scope"] for item in described} == {str(scope) for scope in Scope}
    assert all(item["summary"] for item in described)


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
    from pipeline.deploy.checks import validate_file
    from pipeline.errors import InputFileError

    with pytest.raises(InputFileError, match=r"missing\.json"):
        validate_file(tmp_path / "missing.json", None, None)


def test_what_the_settings_allow_passes_every_check(tmp_path):
    file = tmp_path / "isolated.toml"
    file.write_text(ISOLATED, encoding="utf-8")
    assert validate_environments(None, file).findings == ()


@pytest.mark.parametrize(
    ("script", "step", "check"),
    [
        ("train.py", "Preprocess", "fit-after-split"),
        ("preprocess.py --purpose scoring", "Train", "no-refit-at-scoring"),
        ("claim.py", "Preprocess", "cache-effects"),
    ],
)
def test_the_linter_knows_the_projects_scripts(training, script, step, check):
    """The names in PROJECT are those of steps/, so each check that goes by them finds what it is for."""
    arguments = training.arguments("Preprocess")["AppSpecification"]
    arguments["ContainerEntrypoint"][-1] = script.split()[0]
    if " " in script:
        given = arguments["ContainerArguments"]
        given[given.index("--purpose") + 1] = "scoring"
    report = validate([(read_definition(json.dumps(training.content), "draft"), None)], project=PROJECT)
    assert (step, check) in {(finding.problem.step, finding.check) for finding in report.findings}


def test_every_script_that_the_conventions_name_exists():
    named = {
        PROJECT.split_script,
        PROJECT.training_script,
        PROJECT.evaluation_script,
        PROJECT.selection_script,
        *PROJECT.script_actions,
    }
    assert named <= set(script_sources())


FUNCTION = "arn:aws:lambda:eu-west-1:444455556666:function:notify"


@pytest.mark.parametrize(
    "step",
    [
        {"Type": "Lambda", "FunctionArn": FUNCTION},
        {"Type": "Callback", "SqsQueueUrl": "https://sqs.eu-west-1.amazonaws.com/444455556666/ask"},
        {"Type": "Tuning"},
        {"Type": "EndpointConfig"},
    ],
)
def test_the_derived_role_is_allowed_other_kinds_of_steps(training, prod, bundle, step):
    training.content["Steps"].append({"Name": "More", "Arguments": {}, "OutputParameters": [], **step})
    text = json.dumps(training.content)
    around = deployment_around(prod, bundle, {"training": text, "scoring": text}, "training")
    report = validate([(read_definition(text, "draft"), around)], project=PROJECT)
    assert [finding for finding in report.findings if finding.check == "permissions"] == []


def test_a_step_that_hands_over_may_have_no_arguments(prod, bundle):
    step = {"Name": "A", "Type": "Lambda", "FunctionArn": FUNCTION}
    text = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    assert deployment_around(prod, bundle, {"training": text}, "training").policy["Statement"]


ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1.5,
        "",
        "s3://a/b",
        [],
        ["x"],
        [[]],
        {},
        [{}],
        {"a": 1},
        {"Get": "Steps.X.y"},
        {"Get": 1},
        {"Get": "Steps.Train['"},
        {"Std:Join": {}},
        {"Std:Join": {"Values": "x"}},
    ]
)


def paths(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


@hypothesis_settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_role_is_derived_from_a_spoiled_definition(prod, bundle, compiled, data):
    """`--file` with `--env` derives the role of the environment from what it is given."""
    flow = data.draw(st.sampled_from(["training", "scoring"]))
    content = json.loads(compiled[flow])
    *above, last = data.draw(st.sampled_from(list(paths(content))))
    spoiled = content
    for key in above:
        spoiled = spoiled[key]
    spoiled[last] = data.draw(ODD)
    try:
        definition = read_definition(json.dumps(content), "spoiled.json")
    except DefinitionError:
        return
    deployment_around(prod, bundle, {flow: definition.text}, flow)


@pytest.mark.slow
def test_validate_and_plan_refuse_an_environment_whose_jobs_do_not(aws, tmp_path):
    """Somebody takes the input out of the sources: neither command goes on."""
    for folder in ("pipeline", "steps", "datasets"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    context = tmp_path / "pipeline" / "definition" / "context.py"
    text = context.read_text(encoding="utf-8")
    context.write_text(text.replace("if lock.pins else {}", "if not lock.pins else {}"), encoding="utf-8")
    pin = f"some-thing==1.0 --hash=sha256:{'0' * 64}\n"
    (tmp_path / "steps" / "requirements.txt").write_text(pin, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": str(tmp_path), "BIKESHARE_ACCOUNT_ID": "123456789012", "COLUMNS": "200"}
    for command, code in (("validate", 4), ("plan", DefinitionRefusedError.exit_code)):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", command, "--env", "prod"],
            cwd=tmp_path, env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == code, said
        assert (
            "preprocess.py installs what the image lacks from the input 'wheels', which its job does not have" in said
        )
        assert "and it has no network" in said
        assert "Give the step the input 'wheels'" in said


def test_publishing_in_a_job_is_deployed_with_what_it_may_do():
    settings = load_settings("dev")
    running = settings.running.model_copy(update={"largest_file_mib": 513})
    refuse_wrong_definitions(settings.model_copy(update={"running": running}), build_bundle())
