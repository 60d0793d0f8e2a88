"""Quotas of the endpoint: none of instances with an accelerator; a requested increase is granted at once."""

from __future__ import annotations

import json
import shlex

import pytest

from pipeline.preflight.answers import Verdict
from pipeline.preflight.quotas import function_quota, instance_quotas, instances_needed, judged
from pipeline.settings.environment import load_settings

GPU = "ml.p4d.24xlarge for training job usage"


def definition(*types):
    cluster = {"InstanceType": {"Get": "Parameters.Type"}, "InstanceCount": 3, "VolumeSizeInGB": 1}
    arguments = {
        "Processing": {"ProcessingResources": {"ClusterConfig": {**cluster, "InstanceCount": 1}}},
        "Training": {"ResourceConfig": {**cluster, "InstanceType": "ml.p4d.24xlarge", "InstanceCount": 1}},
        "Transform": {"TransformResources": cluster},
    }
    return json.dumps(
        {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "Type", "Type": "String", "DefaultValue": "ml.m5.large"}],
            "Steps": [{"Name": kind, "Type": kind, "Arguments": arguments[kind]} for kind in types],
        }
    )


def test_the_largest_step_of_a_kind_says_how_many_it_takes():
    settings = load_settings("local")
    found = instances_needed(settings, [definition("Processing", "Transform"), definition("Processing")])
    assert found == {"ml.m5.large for processing job usage": 1, "ml.m5.large for transform job usage": 3}
    warm = settings.model_copy(update={"instances": settings.instances.model_copy(update={"warm_pool_seconds": 60})})
    assert instances_needed(warm, []) == {"ml.m5.large for training warm pool usage": 1}


def test_a_quota_that_is_too_low_comes_with_the_command_that_raises_it(aws, client, by_about):
    needed = {**instances_needed(aws.settings, [definition("Processing")]), GPU: 1, "ml.x.y for training job usage": 1}
    answers = by_about(instance_quotas(aws, needed))
    assert answers["ml.m5.large for processing job usage"].verdict is Verdict.OK
    assert answers["ml.x.y for training job usage"].verdict is Verdict.UNKNOWN
    assert [answer.verdict for about, answer in answers.items() if "pipeline executions" in about] == [Verdict.OK]
    low = answers[GPU]
    assert (low.verdict, low.detail) == (Verdict.PROBLEM, "0; one run needs 1")
    words = shlex.split(low.fix)
    assert words[:3] == ["aws", "service-quotas", "request-service-quota-increase"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    client("service-quotas").request_service_quota_increase(
        ServiceCode=given["--service-code"],
        QuotaCode=given["--quota-code"],
        DesiredValue=float(given["--desired-value"]),
    )
    assert by_about(instance_quotas(aws, needed))[GPU].verdict is Verdict.OK


def test_functions_may_run(aws):
    (answer,) = function_quota(aws)
    assert (answer.verdict, answer.detail) == (Verdict.OK, "1000; one run needs 1")


@pytest.mark.parametrize(
    ("value", "verdict", "words"),
    [(0, Verdict.PROBLEM, "needs 2"), (2, Verdict.OK, "a second run"), (4, Verdict.OK, "needs 2")],
)
def test_what_is_enough_for_one_execution_is_no_problem(value, verdict, words):
    answer = judged("q", {"Value": value, "QuotaCode": "L-1", "ServiceCode": "sagemaker"}, 2)
    assert answer.verdict is verdict
    assert answer.detail.endswith(words) or words in answer.detail
