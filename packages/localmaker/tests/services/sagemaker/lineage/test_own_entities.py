"""Entities and associations that users create beside those of jobs and packages."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def client(endpoint):
    return endpoint.client("sagemaker")


def created(client, unique):
    """Create an artifact that an action made in a context; return their ARNs."""
    artifact = client.create_artifact(
        ArtifactName="report",
        ArtifactType="Report",
        Source={"SourceUri": f"s3://reports/{unique}"},
        Properties={"pages": "3"},
        Tags=[{"Key": "a", "Value": "1"}],
    )["ArtifactArn"]
    action = client.create_action(
        ActionName=unique, ActionType="Writing", Source={"SourceUri": f"run/{unique}"}, Status="InProgress"
    )["ActionArn"]
    context = client.create_context(ContextName=unique, ContextType="Study", Source={"SourceUri": f"study/{unique}"})
    client.add_association(SourceArn=action, DestinationArn=artifact, AssociationType="Produced")
    client.add_association(SourceArn=artifact, DestinationArn=context["ContextArn"], AssociationType="AssociatedWith")
    return artifact, action, context["ContextArn"]


def test_entities_are_described_listed_and_queried(client, unique):
    artifact, action, context = created(client, unique)
    described = client.describe_artifact(ArtifactArn=artifact)
    assert (described["ArtifactName"], described["Properties"]) == ("report", {"pages": "3"})
    assert client.list_tags(ResourceArn=artifact)["Tags"] == [{"Key": "a", "Value": "1"}]
    assert client.describe_action(ActionName=unique)["Status"] == "InProgress"
    assert client.describe_action(ActionName=action)["ActionArn"] == action
    assert [one["ContextArn"] for one in client.list_contexts(SourceUri=f"study/{unique}")["ContextSummaries"]] == [
        context
    ]
    (found,) = client.list_associations(DestinationArn=artifact)["AssociationSummaries"]
    assert (found["SourceArn"], found["SourceType"], found["SourceName"]) == (action, "Writing", unique)
    answer = client.query_lineage(StartArns=[action], Direction="Descendants")
    assert {one["Arn"] for one in answer["Vertices"]} == {artifact, action, context}
    only = {"Properties": {"pages": "3"}}
    answer = client.query_lineage(StartArns=[action], Direction="Descendants", Filters=only, IncludeEdges=False)
    assert [one["Arn"] for one in answer["Vertices"]] == [artifact]
    assert answer["Edges"] == []


def test_entities_are_changed(client, unique):
    artifact, *_ = created(client, unique)
    client.update_artifact(ArtifactArn=artifact, Properties={"words": "9"}, PropertiesToRemove=["pages"])
    assert client.describe_artifact(ArtifactArn=artifact)["Properties"] == {"words": "9"}
    client.update_action(ActionName=unique, Status="Completed")
    assert client.describe_action(ActionName=unique)["Status"] == "Completed"
    client.update_context(ContextName=unique, Description="all of it")
    assert client.describe_context(ContextName=unique)["Description"] == "all of it"


def test_entities_are_deleted_after_their_associations(client, unique):
    artifact, action, context = created(client, unique)
    with pytest.raises(ClientError, match="Use DeleteAssociation first"):
        client.delete_artifact(ArtifactArn=artifact)
    client.delete_association(SourceArn=action, DestinationArn=artifact)
    client.delete_association(SourceArn=artifact, DestinationArn=context)
    client.delete_artifact(Source={"SourceUri": f"s3://reports/{unique}"})
    client.delete_action(ActionName=unique)
    client.delete_context(ContextName=unique)
    assert client.list_artifacts(SourceUri=f"s3://reports/{unique}")["ArtifactSummaries"] == []
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.describe_action(ActionName=unique)


def test_a_source_has_one_artifact(client, unique):
    source = {"SourceUri": f"s3://one/{unique}"}
    first = client.create_artifact(ArtifactType="DataSet", Source=source)["ArtifactArn"]
    assert client.create_artifact(ArtifactType="DataSet", Source=source)["ArtifactArn"] == first
    told_apart = {**source, "SourceTypes": [{"SourceIdType": "MD5Hash", "Value": "0"}]}
    assert client.create_artifact(ArtifactType="DataSet", Source=told_apart)["ArtifactArn"] != first


def test_the_artifact_of_a_user_is_the_one_that_jobs_use(client, workflow):
    before = client.list_artifacts(SourceUri=workflow.raw)["ArtifactSummaries"][0]["ArtifactArn"]
    arn = client.create_artifact(ArtifactName="raw", ArtifactType="DataSet", Source={"SourceUri": workflow.raw})
    assert arn["ArtifactArn"] == before
    (found,) = client.list_artifacts(SourceUri=workflow.raw)["ArtifactSummaries"]
    assert found["ArtifactName"] == "raw"
    assert client.list_associations(SourceArn=before)["AssociationSummaries"]
    client.delete_artifact(ArtifactArn=before)
    (found,) = client.list_artifacts(SourceUri=workflow.raw)["ArtifactSummaries"]
    assert "ArtifactName" not in found


@pytest.mark.parametrize("kind", ["action", "context"])
def test_names_are_used_once(client, unique, kind):
    request = {f"{kind.title()}Name": unique, f"{kind.title()}Type": "T", "Source": {"SourceUri": "s"}}
    getattr(client, f"create_{kind}")(**request)
    with pytest.raises(ClientError, match="must be unique"):
        getattr(client, f"create_{kind}")(**request)


def test_an_association_needs_both_ends(client, unique):
    artifact, *_ = created(client, unique)
    with pytest.raises(client.exceptions.ResourceNotFound):
        client.add_association(SourceArn=artifact, DestinationArn=f"{artifact}0")


def test_trial_components_are_listed_by_experiment_and_trial(client, unique):
    for letter in "ab":
        name = f"{unique}-{letter}"
        client.create_experiment(ExperimentName=name)
        client.create_trial(TrialName=name, ExperimentName=name)
        client.create_trial_component(TrialComponentName=name)
        client.associate_trial_component(TrialComponentName=name, TrialName=name)

    def listed(**options):
        found = client.list_trial_components(**options)["TrialComponentSummaries"]
        return [one["TrialComponentName"] for one in found]

    assert listed(ExperimentName=f"{unique}-a") == [f"{unique}-a"]
    assert listed(TrialName=f"{unique}-b") == [f"{unique}-b"]


def test_a_trial_component_of_a_user_can_be_associated(client, unique):
    component = client.create_trial_component(TrialComponentName=unique)["TrialComponentArn"]
    artifact, *_ = created(client, unique)
    client.add_association(SourceArn=artifact, DestinationArn=component)
    (found,) = client.list_associations(DestinationArn=component)["AssociationSummaries"]
    assert found["DestinationName"] == unique
    assert unique in {one["TrialComponentName"] for one in client.list_trial_components()["TrialComponentSummaries"]}
