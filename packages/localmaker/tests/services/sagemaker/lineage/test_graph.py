"""The lineage graph without an endpoint: descriptions that meet, and how far a query goes."""

from __future__ import annotations

from datetime import UTC, datetime

from localmaker.services.sagemaker.lineage.derived import Deriving, artifact_arn
from localmaker.services.sagemaker.lineage.graph import Association, Entity, EntityKind, Graph

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012:"
MODEL = "s3://b/job/output/model.tar.gz"


def training(minute):
    return {
        "TrainingJobName": "t",
        "TrainingJobArn": f"{PREFIX}training-job/t",
        "TrainingJobStatus": "Completed",
        "CreationTime": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        "AlgorithmSpecification": {"TrainingImage": "image"},
        "ModelArtifacts": {"S3ModelArtifacts": MODEL},
    }


def evaluation(minute):
    return {
        "ProcessingJobName": "p",
        "ProcessingJobArn": f"{PREFIX}processing-job/p",
        "ProcessingJobStatus": "Completed",
        "CreationTime": datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        "AppSpecification": {"ImageUri": "image"},
        "ProcessingInputs": [{"InputName": "model", "S3Input": {"S3Uri": MODEL}}],
    }


def test_what_a_training_job_wrote_is_a_model_whoever_reads_it():
    for order in (1, -1):
        graph = Graph()
        deriving = Deriving(graph, PREFIX)
        for kind, described in [("Training", training(1)), ("Processing", evaluation(2))][::order]:
            deriving.job(kind, described)
        assert graph.entities[artifact_arn(PREFIX, MODEL)].type == "Model"


def test_a_model_from_elsewhere_is_data():
    graph = Graph()
    Deriving(graph, PREFIX).job("Processing", evaluation(2))
    assert graph.entities[artifact_arn(PREFIX, MODEL)].type == "DataSet"


def entity(arn, created=1.0, **more):
    return Entity(EntityKind.ACTION, arn, "T", created, created, **more)


def test_a_users_description_counts_whenever_it_came():
    graph = Graph()
    graph.add(entity("a", 5.0, name="own", stored=True))
    graph.add(entity("a", 1.0, name="derived"))
    assert (graph.entities["a"].name, graph.entities["a"].created) == ("own", 1.0)


def test_a_circle_ends_and_depth_is_kept():
    graph = Graph()
    for name in "abcd":
        graph.add(entity(name))
    for source, destination in ("ab", "bc", "ca", "cd"):
        graph.connect(Association(source, destination, None, 1.0))
    assert graph.reachable("a", upstream=False, depth=10) == set("abcd")
    assert graph.reachable("a", upstream=False, depth=1) == set("ab")
    assert graph.reachable("a", upstream=True, depth=1) == set("ac")


def test_an_association_with_what_is_gone_does_not_show():
    graph = Graph()
    graph.add(entity("a"))
    graph.connect(Association("a", "gone", None, 1.0))
    assert list(graph.associations) == []
