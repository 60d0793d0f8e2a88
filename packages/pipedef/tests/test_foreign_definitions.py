"""Definitions of other projects, as the SageMaker SDK 3.27 has compiled them: no crash and no false alarm."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipedef.document.definition import read_definition
from pipedef.language.parsing import AWS_ONLY_STEP_TYPES
from pipedef.linter import check_text

FOLDER = Path(__file__).parent / "fixtures" / "foreign"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.json"))}
#: What is worth a warning in them: a cache that can't hit, or hits on old code; tags that move; a parameter of no use.
WARNINGS = {
    "caching": [("Preprocess", "code-pinned")],
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
        *("Processing", "Training", "Transform", "Model", "RegisterModel", "Condition", "Fail", "Callback", "Lambda"),
        *("Tuning", "ClarifyCheck", "QualityCheck", "EMR", "EMRServerless", "Cleanup", "ForEach", "Lineage"),
    }


@pytest.mark.parametrize("kind", sorted(AWS_ONLY_STEP_TYPES - {"ForEach", "ClarifyCheck", "QualityCheck", "Tuning"}))
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


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_check_fails_on_a_spoiled_definition(data):
    content = json.loads(TEXTS[data.draw(st.sampled_from(sorted(TEXTS)))])
    *above, last = data.draw(st.sampled_from(list(paths(content))))
    spoiled = content
    for key in above:
        spoiled = spoiled[key]
    spoiled[last] = data.draw(ODD)
    check_text(json.dumps(content), "spoiled.json")
