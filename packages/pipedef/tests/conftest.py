"""For every test: definitions to spoil, and a way to run one check alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from definition_builder import Build

from pipedef.checks.registry import Deployment, Function, Trigger
from pipedef.document.definition import BRANCHES, read_definition
from pipedef.document.project import ALWAYS, Project, ScriptFolder
from pipedef.linter import chosen_checks

pytest_plugins = ["budgets"]

FIXTURES = Path(__file__).parent / "fixtures"
_REGISTRY_READ = ("sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages")
#: What the project whose compiled definitions are in ``fixtures`` tells about its scripts.
PROJECT = Project(
    scripts_folder="jobs",
    split_script="preprocess.py",
    training_script="train.py",
    evaluation_script="evaluate.py",
    selection_script="select_model.py",
    purpose_flag="--purpose",
    rowless_channels=frozenset({"wheels"}),
    code_named_by_digest=True,
    transforms_read_one_file=True,
    script_actions={
        "claim.py": {ALWAYS: ("s3:GetObject", "s3:PutObject", "sagemaker:DescribePipelineExecution")},
        "evaluate.py": {"--model-package-group-name": ("s3:GetObject", *_REGISTRY_READ)},
        "ingest_features.py": {ALWAYS: ("sagemaker:BatchWriteRecord", "sagemaker:PutRecord")},
        "publish.py": {ALWAYS: ("s3:PutObject",)},
        "select_model.py": {ALWAYS: _REGISTRY_READ},
    },
)
SOURCES = {
    "preprocess.py": "def split(rows, seed):\n    return train_test_split(rows, random_state=seed)\n",
    "train.py": "from analysis.model.fitting import fit\n\n\ndef main():\n    fit(read('train.csv'))\n",
    "evaluate.py": "def main(model):\n    return model.predict(read('test.csv'))\n",
    "inference.py": "def predict(rows, model):\n    return model.predict(rows)\n",
    "publish.py": "def publish(client, body):\n    client.put_object(Bucket='b', Key='k', Body=body)\n",
    "analysis/model/fitting.py": "def fit(rows):\n    return LinearRegression().fit(rows)\n",
}
SOURCES["train.py"] = SOURCES["train.py"].replace("'", '"')


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
        """Return the step of this name, in whatever branch it is."""
        return next(item for item in self._steps(self.content["Steps"]) if item["Name"] == name)

    def arguments(self, name):
        """Return the arguments of a step."""
        return self.step(name)["Arguments"]

    def parameter(self, name):
        """Return a declared parameter."""
        return next(item for item in self.content["Parameters"] if item["Name"] == name)

    def input(self, step, name):
        """Return the S3Input of a processing step."""
        return next(item for item in self.arguments(step)["ProcessingInputs"] if item["InputName"] == name)["S3Input"]

    def read(self):
        """Read it as the linter does."""
        return replace(read_definition(json.dumps(self.content), "draft.json"), project=PROJECT)


@pytest.fixture
def build():
    """Return a builder of definitions."""
    return Build


@pytest.fixture(scope="session")
def compiled():
    """Return two definitions of a project, as the SDK has compiled them."""
    return {flow: (FIXTURES / f"{flow}.json").read_text(encoding="utf-8") for flow in ("training", "scoring")}


@pytest.fixture
def training(compiled):
    """Return a pipeline that splits, trains, evaluates and registers."""
    return Draft(compiled["training"])


@pytest.fixture
def scoring(compiled):
    """Return a pipeline that makes predictions with a model of the registry."""
    return Draft(compiled["scoring"])


@pytest.fixture(scope="session")
def raw_bucket():
    """Return the bucket whose uploads start the pipelines."""
    return "rides-prod-raw-444455556666"


@pytest.fixture(scope="session")
def deployments():
    """Return what is deployed around the pipelines, by flow."""
    around = json.loads((FIXTURES / "deployment.json").read_text(encoding="utf-8"))
    pipelines = around.pop("pipelines")
    triggers = tuple(Trigger(**trigger) for trigger in around.pop("triggers"))
    functions = tuple(Function(**function) for function in around.pop("functions"))
    return {
        flow: Deployment(pipeline=name, triggers=triggers, functions=functions, **around)
        for flow, name in pipelines.items()
    }


@pytest.fixture(scope="session")
def project():
    """Return what the project tells about its scripts."""
    return PROJECT


@pytest.fixture(scope="session")
def sources():
    """Return small step scripts without a problem."""
    return SOURCES


@pytest.fixture(scope="session")
def problems(deployments):
    """Return a function that lists what one check finds in a draft, or in sources for a check of scripts."""

    def run(name, subject, deployment=None):
        check = next(iter(chosen_checks([name])))
        if check.on_sources is not None:
            return list(check.on_sources(ScriptFolder(subject, PROJECT)))
        if check.on_deployment is not None:
            return list(check.on_deployment(subject.read(), deployment or deployments["training"]))
        return list(check.on_definition(subject.read()))

    return run
