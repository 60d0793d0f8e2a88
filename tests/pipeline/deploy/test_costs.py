"""What a run costs and takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import pipeline.deploy.costs
from pipeline.bundle import build_bundle
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.costs import estimate
from pipeline.deploy.stack import FLOWS

PRICES = tomllib.loads(Path(pipeline.deploy.costs.__file__).with_name("prices.toml").read_text(encoding="utf-8"))
SECONDS = PRICES["seconds"]


def job(name, kind="Processing", instance="ml.m5.large", count=1, depends=()):
    cluster = {"InstanceType": instance, "InstanceCount": count, "VolumeSizeInGB": 0}
    arguments = {"ProcessingResources": {"ClusterConfig": cluster}} if kind == "Processing" else {}
    return {"Name": name, "Type": kind, "Arguments": arguments, "DependsOn": list(depends)}


def run(*steps, parameters=(), region="us-east-1"):
    return estimate(json.dumps({"Parameters": list(parameters), "Steps": list(steps)}), region)


ONE = SECONDS["Processing"]["waiting"] + SECONDS["Processing"]["billed"]


def test_steps_that_do_not_wait_for_each_other_take_the_time_of_one():
    found = run(job("A"), job("B"), job("C", depends=["A"]))
    assert found.seconds == 2 * ONE
    assert found.jobs == 3
    hourly = PRICES["hourly"]["us-east-1"]["ml.m5.large"]
    assert found.dollars == pytest.approx(3 * hourly * SECONDS["Processing"]["billed"] / 3600)


def test_a_reference_is_a_dependency_and_an_else_branch_is_not_taken():
    second = job("B")
    second["Arguments"]["Environment"] = {"X": {"Get": "Steps.A.ProcessingJobName"}}
    gate = {"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": [second], "ElseSteps": [job("Never")]}}
    found = run(job("A"), gate)
    assert (found.jobs, found.seconds) == (2, 2 * ONE)


def test_instance_types_come_from_the_parameters_defaults_and_count():
    parameter = {"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.xlarge"}
    found = run(job("A", instance={"Get": "Parameters.Type"}, count=2), parameters=[parameter])
    expected = 2 * PRICES["hourly"]["us-east-1"]["ml.m5.xlarge"] * SECONDS["Processing"]["billed"] / 3600
    assert found.dollars == pytest.approx(expected)


@pytest.mark.parametrize(("instance", "region"), [("ml.p9.huge", "us-east-1"), ("ml.m5.large", "mars-north-1")])
def test_what_has_no_price_is_said(instance, region):
    found = run(job("A", instance=instance), region=region)
    assert found.dollars is None
    assert f"no price for {instance} in pipeline/deploy/prices.toml" in str(found)


def test_every_shipped_environment_has_a_price(environment):
    for definition in compiled_definitions(environment, build_bundle(), FLOWS).values():
        found = estimate(definition, environment.region)
        assert found.dollars is not None
        assert 0 < found.dollars < 1
        assert str(found).endswith(f"(estimate, prices as of {PRICES['as_of']})")
