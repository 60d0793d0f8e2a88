"""Lineage steps on a running endpoint."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/pipeline"
ID = {"Get": "Execution.PipelineExecutionId"}


def artifact(unique, **more):
    return {"ArtifactName": "data", "ArtifactType": "DataSet", "Source": {"SourceUri": f"s3://b/{unique}"}, **more}


def lineage(unique, *associations, **more):
    action = {
        "ActionName": ID,
        "ActionType": "Evaluation",
        "Source": {"SourceUri": {"Get": "Execution.PipelineExecutionArn"}},
        "Properties": {"pages": 3},
    }
    arguments = {"Actions": [action], "Artifacts": [artifact(unique)], "Associations": list(associations), **more}
    return {"Name": "Track", "Type": "Lineage", "Arguments": arguments}


def edge(source, destination):
    return {"Source": source, "Destination": destination, "AssociationType": "Produced"}


@pytest.fixture
def client(endpoint):
    return endpoint.client("sagemaker")


@pytest.fixture
def run(client, unique, eventually):
    def run_one(*steps):
        text = json.dumps({"Version": "2020-12-01", "Steps": list(steps)})
        client.create_pipeline(PipelineName=unique, PipelineDefinition=text, RoleArn=ROLE)
        arn = client.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
        eventually(
            lambda: (
                client.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
                in ("Succeeded", "Failed")
            )
        )
        listed = client.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return arn, {step["StepName"]: step for step in listed}

    return run_one


def test_entities_and_associations_are_created(client, run, unique):
    own = edge({"Name": ID, "Type": "Action"}, {"Name": "data", "Type": "Artifact"})
    later = {
        "Name": "Say",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": {"Get": "Steps.Track.ArtifactArns['data']"}},
    }
    arn, steps = run(lineage(unique, own), later)
    made = steps["Track"]["Metadata"]["Lineage"]
    execution = arn.rpartition("/")[2]
    assert list(made["ActionArns"]) == [execution]
    assert made["Associations"] == [
        {"SourceArn": made["ActionArns"][execution], "DestinationArn": made["ArtifactArns"]["data"]}
    ]
    described = client.describe_action(ActionName=execution)
    assert (described["Source"]["SourceUri"], described["Properties"]) == (arn, {"pages": "3"})
    (found,) = client.list_associations(DestinationArn=made["ArtifactArns"]["data"])["AssociationSummaries"]
    assert found["AssociationType"] == "Produced"
    assert steps["Say"]["FailureReason"] == made["ArtifactArns"]["data"]


def test_an_association_with_what_does_not_exist_fails_the_step(run, unique):
    gone = "arn:aws:sagemaker:us-east-1:123456789012:artifact/gone"
    _, steps = run(lineage(unique, edge({"Name": "data", "Type": "Artifact"}, {"Arn": gone})))
    assert steps["Track"]["FailureReason"].startswith("ClientError: Failed to invoke sagemaker:AddAssociation")


def test_a_name_means_an_entity_of_the_same_step(run, unique):
    _, steps = run(lineage(unique, edge({"Name": "data", "Type": "Artifact"}, {"Name": "data", "Type": "Context"})))
    assert "This step creates no Context with the name [data]" in steps["Track"]["FailureReason"]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (lineage("x", Trials=[]), "Unknown Argument member 'Trials'"),
        (lineage("x", {"Source": {"Arn": "a"}}), "An association takes Source and Destination"),
        (lineage("x", Artifacts=[artifact("x", Colour="red")]), "Unknown Argument member 'Colour'"),
        (lineage("x", Contexts={}), "Expecting start of Json Array"),
    ],
)
def test_arguments_are_checked_when_the_pipeline_is_created(client, unique, step, said):
    text = json.dumps({"Version": "2020-12-01", "Steps": [step]})
    with pytest.raises(ClientError, match=said):
        client.create_pipeline(PipelineName=unique, PipelineDefinition=text, RoleArn=ROLE)


def test_other_properties_are_refused(client, unique):
    later = {"Name": "Say", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Steps.Track.TrialArns['data']"}}}
    text = json.dumps({"Version": "2020-12-01", "Steps": [lineage(unique), later]})
    with pytest.raises(ClientError, match="Invalid property reference"):
        client.create_pipeline(PipelineName=unique, PipelineDefinition=text, RoleArn=ROLE)
