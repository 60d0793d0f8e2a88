"""What a run costs and takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import pipeline.executions.costs
from pipedef.document.definition import read_definition
from pipeline.executions.costs import Cluster, clusters, estimate, spent

PRICES = tomllib.loads(Path(pipeline.executions.costs.__file__).with_name("prices.toml").read_text(encoding="utf-8"))
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
    assert f"no price for {instance} in {region} in pipeline/executions/prices.toml" in str(found)


def test_what_runs_on_comes_from_the_values_of_the_execution_in_every_branch():
    parameter = {"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.xlarge"}
    gate = {"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": [], "ElseSteps": [job("Other")]}}
    content = {"Parameters": [parameter], "Steps": [job("A", instance={"Get": "Parameters.Type"}, count=2), gate]}
    definition = read_definition(json.dumps(content), "test")
    assert clusters(definition, {})["A"] == Cluster("ml.m5.xlarge", 2, 0)
    found = clusters(definition, {"Type": "ml.c5.large"})
    assert found == {"A": Cluster("ml.c5.large", 2, 0), "Other": Cluster("ml.m5.large", 1, 0)}


def test_what_was_spent_is_by_instance_and_second():
    found = spent([(Cluster("ml.m5.large", 2, 0), 1800), (Cluster("ml.m5.xlarge", 1, 0), 3600)], "us-east-1")
    hourly = PRICES["hourly"]["us-east-1"]
    assert found.dollars == pytest.approx(hourly["ml.m5.large"] + hourly["ml.m5.xlarge"])
    assert str(found).endswith(f"(prices as of {PRICES['as_of']})")
    assert spent([(Cluster("ml.p9.huge", 1, 0), 1)], "us-east-1").dollars is None
