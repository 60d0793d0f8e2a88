"""The lineage of what really ran: data sets, images, jobs, model, model package."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.services.sagemaker.jobs.conftest import IMAGE


def test_a_processing_job_is_connected_with_what_it_read_and_wrote(workflow, lineage):
    component = lineage.component(workflow.processing["ProcessingJobArn"])
    assert component["TrialComponentName"] == f"{workflow.processing['ProcessingJobName']}-aws-processing-job"
    assert component["TrialComponentSource"]["SourceType"] == "SageMakerProcessingJob"
    assert component["Status"]["PrimaryStatus"] == "Completed"
    assert lineage.around(component["TrialComponentArn"]) == {
        ("in", "DataSet", "ContributedTo", workflow.raw),
        ("in", "Image", "ContributedTo", IMAGE),
        ("out", "DataSet", "Produced", workflow.clean),
    }


def test_a_training_job_is_connected_with_its_model(workflow, lineage):
    component = lineage.component(workflow.training["TrainingJobArn"])
    assert lineage.around(component["TrialComponentArn"]) == {
        ("in", "DataSet", "ContributedTo", workflow.clean),
        ("in", "Image", "ContributedTo", IMAGE),
        ("out", "Model", "Produced", workflow.model),
    }
    described = lineage.client.describe_trial_component(TrialComponentName=component["TrialComponentName"])
    assert described["Source"]["SourceArn"] == workflow.training["TrainingJobArn"]
    assert described["Parameters"]["SageMaker.InstanceCount"] == {"NumberValue": 1.0}
    assert described["InputArtifacts"]["train"] == {"Value": workflow.clean}
    assert [(one["MetricName"], one["Last"]) for one in described["Metrics"]] == [("loss", 0.5)]


def test_a_model_package_is_connected_with_its_model_approval_and_group(workflow, lineage):
    arn = lineage.artifact(workflow.package)["ArtifactArn"]
    found = lineage.around(arn)
    assert {one for one in found if one[1] in ("Model", "Image")} == {
        ("in", "Model", "ContributedTo", workflow.model),
        ("in", "Image", "ContributedTo", IMAGE),
    }
    ((_, _, _, action),) = [one for one in found if one[:3] == ("in", "Approval", "ContributedTo")]
    described = lineage.client.describe_action(ActionName=action)
    assert described["Properties"] == {"ModelApprovalStatus": "PendingManualApproval"}
    assert described["Source"]["SourceUri"] == workflow.package
    ((_, _, _, context),) = [one for one in found if one[:3] == ("out", "ModelGroup", "AssociatedWith")]
    assert lineage.client.describe_context(ContextName=context)["Source"]["SourceUri"] == workflow.group
    (listed,) = lineage.client.list_contexts(SourceUri=workflow.group)["ContextSummaries"]
    assert listed["ContextName"] == context
    (listed,) = lineage.client.list_actions(SourceUri=workflow.package)["ActionSummaries"]
    assert (listed["ActionName"], listed["Status"]) == (action, "Completed")


def test_a_query_goes_back_from_the_package_to_the_raw_data(workflow, lineage):
    start = lineage.artifact(workflow.package)["ArtifactArn"]
    wanted = {"Types": ["DataSet"], "LineageTypes": ["Artifact"]}
    answer = lineage.client.query_lineage(StartArns=[start], Direction="Ascendants", Filters=wanted, IncludeEdges=True)
    assert {one["Arn"] for one in answer["Vertices"]} == {
        lineage.artifact(uri)["ArtifactArn"] for uri in (workflow.raw, workflow.clean)
    }
    component = lineage.component(workflow.training["TrainingJobArn"])["TrialComponentArn"]
    edge = {
        "SourceArn": component,
        "DestinationArn": lineage.artifact(workflow.model)["ArtifactArn"],
        "AssociationType": "Produced",
    }
    assert edge in answer["Edges"]


def test_a_query_goes_forward_and_no_further_than_it_is_told(workflow, lineage):
    start = lineage.artifact(workflow.raw)["ArtifactArn"]

    def types(**options):
        return sorted(one["Type"] for one in lineage.client.query_lineage(StartArns=[start], **options)["Vertices"])

    assert types(Direction="Descendants", MaxDepth=1) == ["DataSet", "ProcessingJob"]
    assert types(Direction="Descendants", MaxDepth=4) == ["DataSet", "DataSet", "Model", "ProcessingJob", "TrainingJob"]
    assert types(Direction="Ascendants") == ["DataSet"]


def test_a_failed_job_has_produced_nothing(endpoint, image, lineage, unique):
    from tests.services.sagemaker.jobs.conftest import RemoteJobs

    from localmaker.services.sagemaker.jobs.kinds import JobKind

    jobs = RemoteJobs(endpoint.url, unique)
    jobs.s3.create_bucket(Bucket="artifacts")
    failed = jobs.run(JobKind.PROCESSING, jobs.processing_request("exit 1"))
    arn = lineage.component(failed["ProcessingJobArn"])["TrialComponentArn"]
    assert {one[:2] for one in lineage.around(arn)} == {("in", "Image")}


def test_an_endpoint_is_connected_with_its_model(workflow, lineage, unique):
    client = lineage.client
    container = {"Image": IMAGE, "ModelDataUrl": workflow.model}
    role = "arn:aws:iam::123456789012:role/r"
    client.create_model(ModelName=unique, ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {"VariantName": "v", "ModelName": unique, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    client.create_endpoint_config(EndpointConfigName=unique, ProductionVariants=[variant])
    arn = client.create_endpoint(EndpointName=unique, EndpointConfigName=unique)["EndpointArn"]
    (context,) = client.list_contexts(SourceUri=arn)["ContextSummaries"]
    assert context["ContextType"] == "Endpoint"
    answer = client.query_lineage(StartArns=[context["ContextArn"]], Direction="Ascendants")
    assert lineage.artifact(workflow.raw)["ArtifactArn"] in {one["Arn"] for one in answer["Vertices"]}
    client.delete_endpoint(EndpointName=unique)
    assert client.list_contexts(SourceUri=arn)["ContextSummaries"] == []


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("describe_artifact", {"ArtifactArn": "arn:aws:sagemaker:us-east-1:123456789012:artifact/none"}),
        ("describe_action", {"ActionName": "none"}),
        ("describe_context", {"ContextName": "none"}),
        ("query_lineage", {"StartArns": ["arn:aws:sagemaker:us-east-1:123456789012:artifact/none"]}),
        (
            "delete_association",
            {
                "SourceArn": "arn:aws:sagemaker:us-east-1:123456789012:artifact/none",
                "DestinationArn": "arn:aws:sagemaker:us-east-1:123456789012:artifact/other",
            },
        ),
    ],
)
def test_what_does_not_exist_is_not_found(lineage, operation, arguments):
    with pytest.raises(lineage.client.exceptions.ResourceNotFound):
        getattr(lineage.client, operation)(**arguments)


def test_what_follows_from_a_job_is_not_deleted_by_itself(workflow, lineage):
    artifact = lineage.artifact(workflow.model)["ArtifactArn"]
    component = lineage.component(workflow.training["TrainingJobArn"])["TrialComponentArn"]
    with pytest.raises(ClientError, match="follows from what the local endpoint stores"):
        lineage.client.delete_artifact(ArtifactArn=artifact)
    with pytest.raises(ClientError, match="follows from a job"):
        lineage.client.delete_association(SourceArn=component, DestinationArn=artifact)


def test_lineage_groups_are_refused(lineage):
    with pytest.raises(ClientError, match="NotImplemented"):
        lineage.client.list_lineage_groups()
