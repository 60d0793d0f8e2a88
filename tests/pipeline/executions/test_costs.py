"""What a run costs and takes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import pipeline.executions.costs
from pipedef.document.definition import read_definition
from pipeline.executions.costs import Chain, Cluster, _ends, clusters, estimate, spent

PRICES = tomllib.loads(Path(pipeline.executions.costs.__file__).with_name("prices.toml").read_text(encoding="utf-8"))
SECONDS = PRICES["seconds"]


def job(name, kind="Processing", instance="ml.m5.large", count=1, depends=()):
    cluster = {"InstanceType": instance, "InstanceCount": count, "VolumeSizeInGB": 0}
    arguments = {
        "Processing": {"ProcessingResources": {"ClusterConfig": cluster}},
        "Training": {"ResourceConfig": cluster},
        "Transform": {"TransformResources": cluster},
    }
    return {"Name": name, "Type": kind, "Arguments": arguments[kind], "DependsOn": list(depends)}


def run(*steps, parameters=(), region="us-east-1"):
    return estimate(json.dumps({"Parameters": list(parameters), "Steps": list(steps)}), region)


ONE = SECONDS["Processing"]["waiting"] + SECONDS["Processing"]["billed"]
TRANSFORM = SECONDS["Transform"]["waiting"] + SECONDS["Transform"]["billed"]
CALL = SECONDS["other"]["waiting"]


def test_steps_that_do_not_wait_for_each_other_take_the_time_of_one():
    found = run(job("A"), job("B"), job("C", depends=["A"]))
    assert found.whole == Chain(2 * ONE, job_starts=2)
    assert found.jobs == 3
    hourly = PRICES["hourly"]["us-east-1"]["ml.m5.large"]
    assert found.dollars == pytest.approx(3 * hourly * SECONDS["Processing"]["billed"] / 3600)


def test_a_reference_is_a_dependency_and_an_else_branch_is_not_taken():
    second = job("B")
    second["Arguments"]["Environment"] = {"X": {"Get": "Steps.A.ProcessingJobName"}}
    gate = {"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": [second], "ElseSteps": [job("Never")]}}
    found = run(job("A"), gate)
    assert (found.jobs, found.whole.seconds) == (2, 2 * ONE)


def test_instance_types_come_from_the_parameters_defaults_and_count():
    parameter = {"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.xlarge"}
    found = run(job("A", instance={"Get": "Parameters.Type"}, count=2), parameters=[parameter])
    expected = 2 * PRICES["hourly"]["us-east-1"]["ml.m5.xlarge"] * SECONDS["Processing"]["billed"] / 3600
    assert found.dollars == pytest.approx(expected)


def call(name, kind="Lambda", depends=()):
    return {"Name": name, "Type": kind, "Arguments": {}, "DependsOn": list(depends)}


def condition(name, *if_steps, depends=(), otherwise=()):
    arguments = {"IfSteps": list(if_steps), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, "DependsOn": list(depends)}


def test_predictions_are_there_before_the_end_of_a_training_run():
    found = run(
        call("ClaimInput"),
        condition(
            "IsNewInput",
            job("Preprocess"),
            job("Train", kind="Training", depends=["Preprocess"]),
            job("Evaluate", depends=["Train"]),
            call("CreateModel", kind="Model", depends=["Train"]),
            job("Transform", kind="Transform", depends=["CreateModel"]),
            depends=["ClaimInput"],
        ),
        condition(
            "QualityGate",
            call("RegisterModel", kind="RegisterModel"),
            call("PublishPredictions", depends=["RegisterModel"]),
            job("IngestFeatures", depends=["PublishPredictions"]),
            depends=["Evaluate", "Transform"],
            otherwise=[call("QualityGateFailed", kind="Fail")],
        ),
        # What is taken over is published without any of this: it is another way to predictions.
        condition(
            "IsRegistered",
            call("PublishRegistered"),
            job("IngestRegistered", depends=["PublishRegistered"]),
            depends=["ClaimInput"],
        ),
    )
    calls_to_predictions = 6 * CALL
    assert found.predictions == Chain(2 * ONE + TRANSFORM + calls_to_predictions, job_starts=3)
    assert found.whole == Chain(3 * ONE + TRANSFORM + calls_to_predictions, job_starts=4)
    assert found.jobs == 5
    assert str(found).startswith(
        "predictions after about 13 min (3 job starts); ends after about 16 min, 5 jobs, about $"
    )


def test_a_scoring_run_has_predictions_after_two_job_starts():
    found = run(
        call("ClaimInput"),
        condition(
            "IsNewInput",
            call("SelectModel"),
            job("Preprocess", depends=["SelectModel"]),
            call("CreateModel", kind="Model", depends=["SelectModel"]),
            job("Transform", kind="Transform", depends=["Preprocess", "CreateModel"]),
            call("PublishPredictions", depends=["Transform"]),
            job("IngestFeatures", depends=["PublishPredictions"]),
            depends=["ClaimInput"],
        ),
    )
    assert found.predictions == Chain(ONE + TRANSFORM + 4 * CALL, job_starts=2)
    assert str(found).startswith("predictions after about 9 min (2 job starts); ends after about 13 min, 3 jobs")


def test_predictions_may_be_in_the_other_branch():
    gate = condition("Gate", job("Slow"), otherwise=[call("PublishPredictions")])
    found = run(job("First"), {**gate, "DependsOn": ["First"]})
    assert found.predictions == found.whole == Chain(ONE + 2 * CALL, job_starts=1)


def test_of_equally_long_chains_the_one_with_more_job_starts_counts():
    nothing = {kind: {"waiting": 0, "billed": 0} for kind in ("Processing", "other")}
    definition = read_definition(json.dumps({"Steps": [job("A"), call("B"), call("C", depends=["A", "B"])]}), "test")
    assert _ends(definition.steps, definition.upstream, nothing)["C"] == Chain(0, job_starts=1)


def test_a_pipeline_that_publishes_nothing_is_told_to_its_end():
    found = run(job("A"))
    assert found.predictions is None
    assert str(found).startswith("ends after about 4 min (1 job start), 1 jobs, about $")


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
