"""Kinds of step that run on AWS only: each is refused by name, with a reason and something to do instead."""

from __future__ import annotations

import botocore.session
import pytest

from pipedef.errors import AwsError
from pipedef.language.model import StepType
from pipedef.language.parsing import parse_definition
from pipedef.language.refused_kinds import REFUSED_KINDS

#: What SageMaker's API calls the step of a kind otherwise.
_METADATA = {"TuningJob": "Tuning", "AutoMLJob": "AutoML", "ProcessingJob": "Processing", "TrainingJob": "Training"}


@pytest.mark.parametrize("kind", sorted(REFUSED_KINDS))
def test_a_kind_is_refused_by_name_with_a_reason_and_a_way_out(build, kind):
    with pytest.raises(AwsError) as refused:
        parse_definition(build.definition({"Name": "More", "Type": kind, "Arguments": {}}))
    assert refused.value.code == "ValidationException"
    assert f"Step [More] is of type [{kind}]" in refused.value.message
    assert REFUSED_KINDS[kind].reason in refused.value.message
    assert REFUSED_KINDS[kind].instead in refused.value.message


def test_every_kind_that_sagemaker_knows_runs_or_is_refused():
    service = botocore.session.get_session().get_service_model("sagemaker")
    members = {*service.shape_for("PipelineExecutionStepMetadata").members} - {"TransformJob"}
    assert {_METADATA.get(name, name) for name in members} <= {*StepType, *REFUSED_KINDS}


def test_no_kind_both_runs_and_is_refused():
    assert not {*StepType} & {*REFUSED_KINDS}


def test_a_notebook_job_is_recognised_behind_its_training_step(build):
    """The SDK's NotebookJobStep compiles to a step of type Training."""
    notebook = build.training("Notebook")
    notebook["Arguments"]["AlgorithmSpecification"]["ContainerEntrypoint"] = ["amazon_sagemaker_scheduler"]
    with pytest.raises(AwsError, match=r"\[NotebookJob\].*papermill"):
        parse_definition(build.definition(notebook))


def test_a_kind_that_does_not_exist_is_called_unknown(build):
    with pytest.raises(AwsError, match=r"Unknown step type \[Dream\]"):
        parse_definition(build.definition({"Name": "More", "Type": "Dream", "Arguments": {}}))
