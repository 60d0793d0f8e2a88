"""Executions are seen from their start on, also those whose pipeline is deleted."""

from __future__ import annotations

import json

import pytest
from compatibility.observing import Observer

from localmaker.daemon import EndpointHandle

pytestmark = pytest.mark.usefixtures("image")
ROLE = "arn:aws:iam::123456789012:role/x"
FAILS = {
    "Version": "2020-12-01",
    "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "as meant"}}],
}


def test_a_deleted_pipelines_execution_stays_seen(endpoint: EndpointHandle, unique: str) -> None:
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_pipeline(
        PipelineName=unique,
        PipelineDefinition=json.dumps(FAILS),
        RoleArn=ROLE,
        ClientRequestToken=unique * 3,
    )
    with Observer(sagemaker) as observer:
        sagemaker.start_pipeline_execution(PipelineName=unique)
        observer.wait(60)
        sagemaker.delete_pipeline(PipelineName=unique)
        observer.wait(60)
        found = [one for one in observer.executions() if one.pipeline == unique]
    assert [(one.status, one.states) for one in found] == [("Failed", {"Stop": "Failed"})]
    assert "as meant" in str(found[0].steps[0].failure)
    assert isinstance(observer.jobs(), dict)
