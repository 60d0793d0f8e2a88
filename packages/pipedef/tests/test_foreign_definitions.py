"""Definitions of other projects, as the SageMaker SDK 3.27 has compiled them: no crash and no false alarm."""

import json
from pathlib import Path

import pytest
from budgets import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedef.document.definition import read_definition
from pipedef.language.refused_kinds import REFUSED_KINDS
from pipedef.linter import check_text, chosen_checks

FOLDER = Path(__file__).parent / "fixtures" / "foreign"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
#: What is worth a warning in them: a cache that can't hit, or hits on old code; tags that move; a parameter of no use,
#: or with a default that no start may give.
WARNINGS = {
    "caching": [("Preprocess", "code-pinned")],
    "quality": [("", "empty-values")],
    "selective": [("B", "cache-hits"), ("B", "code-pinned")],
    "wine": [("Prep", "images-pinned"), ("Fit", "images-pinned"), ("", "parameters-used")],
}


@pytest.mark.parametrize("name", TEXTS)
def test_definitions_of_other_projects_pass(name):
    report = check_text(TEXTS[name], name)
    assert report.errors == ()
    found = [(finding.problem.step, finding.check) for finding in report.findings]
    assert sorted(found) == sorted(WARNINGS.get(name, []))


def test_they_have_steps_of_most_types():
    types = {step.type for text in TEXTS.values() for step in read_definition(text, "").steps}
    assert types >= {
        "Processing",
        "Training",
        "Transform",
        "Model",
        "RegisterModel",
        "Condition",
        "Fail",
        "Callback",
        "Lambda",
        "Tuning",
        "ClarifyCheck",
        "QualityCheck",
        "EMR",
        "EMRServerless",
        "Cleanup",
        "ForEach",
        "Lineage",
    }


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("Steps.Features.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri", []),
        ("Parameters.Embeddings", []),
        ("Parameters.Rows", ["fit-after-split"]),
        ("Steps.Split.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri", ["fit-after-split"]),
    ],
)
def test_steps_between_split_and_training_are_allowed(build, source, found):
    """Only what certainly has test rows in it is worth a warning."""
    rows = {"InputName": "rows", "S3Input": {"S3Uri": build.get("Parameters.Rows"), "LocalPath": "/opt/ml/rows"}}
    split = build.processing(
        "Split", outputs={"train": "s3://b/train", "test": "s3://b/test"}, extra={"ProcessingInputs": [rows]}
    )
    features = build.processing("Features", outputs={"train": "s3://b/features"}, DependsOn=["Split"])
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": build.get(source)}}}
    train = build.training("Train", extra={"InputDataConfig": [channel]})
    parameters = (build.parameter("Rows"), build.parameter("Embeddings"))
    report = check_text(
        build.definition(split, features, train, parameters=parameters), "", chosen_checks(["fit-after-split"])
    )
    assert [finding.check for finding in report.findings] == found


@pytest.mark.parametrize(("status", "found"), [("PendingManualApproval", []), ("Approved", ["quality-gate"])])
def test_a_person_may_be_the_gate(status, found):
    content = json.loads(TEXTS["abalone"])
    condition = next(step for step in content["Steps"] if step["Type"] == "Condition")
    content["Steps"] += condition["Arguments"].pop("IfSteps")
    parameter = next(item for item in content["Parameters"] if item["Name"] == "ModelApprovalStatus")
    parameter["DefaultValue"] = status
    report = check_text(json.dumps(content), "", chosen_checks(["quality-gate"]))
    assert [finding.check for finding in report.findings] == found


@pytest.mark.parametrize("kind", sorted(set(REFUSED_KINDS) - {"ForEach", "ClarifyCheck", "QualityCheck"}))
def test_newer_types_of_steps_are_known_by_name(build, kind):
    text = build.definition({"Name": "More", "Type": kind, "Arguments": {}})
    assert check_text(text, "").findings == ()


def test_the_body_of_a_loop_is_checked():
    content = json.loads(TEXTS["foreach"])
    (body,) = content["Steps"][0]["Arguments"]["ForEachBody"]
    body["Arguments"]["RoleArn"] = "nobody"
    body["Arguments"]["Environment"] = {"DB_PASSWORD": "summer"}
    body["Arguments"]["AppSpecification"]["ContainerArguments"].append({"Get": "Step.Typo"})
    found = {(finding.problem.step, finding.check) for finding in check_text(json.dumps(content), "").findings}
    assert found >= {("ProcessItem", "arguments"), ("ProcessItem", "plain-secrets"), ("ProcessItem", "references")}


def test_an_item_outside_of_a_loop_is_found(build):
    text = build.definition(build.processing("A", build.get("ForEach.CurrentItem")))
    assert "references" in {finding.check for finding in check_text(text, "").findings}


def paths(value, path=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


ODD = st.sampled_from([None, True, 0, "", [], ["x"], {}, [{}], {"Get": "Steps.X.y"}, {"Get": 1}, {"Std:Join": {}}])


@settings(max_examples=examples(200), deadline=None)
@given(data=st.data())
def test_no_check_fails_on_a_spoiled_definition(data):
    content = json.loads(TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))])
    *above, last = data.draw(st.sampled_from(list(paths(content))))
    spoiled = content
    for key in above:
        spoiled = spoiled[key]
    spoiled[last] = data.draw(ODD)
    check_text(json.dumps(content), "spoiled.json")
