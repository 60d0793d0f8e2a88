"""The kinds of step that run on AWS only: why the local endpoint cannot run each, and what to do instead.

A kind that is missing here and in :class:`~pipedef.language.model.StepType` does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Refusal:
    """Why a kind of step is refused, and what does the same locally; both are whole sentences."""

    reason: str
    instead: str


_ON_AWS = "Deploy this pipeline to AWS for it, or leave the step out locally."
_CHECK = "Compute the figures in a Processing step with a script of your own, and compare them in a Condition step."
_CLUSTER = "Run the program in a Processing step."
_NOT_SERVED = "Score in a Transform step, which runs the same model and inference code."
_BEDROCK = Refusal("Models of Amazon Bedrock are only on AWS.", _ON_AWS)

REFUSED_KINDS: Mapping[str, Refusal] = {
    "Athena": Refusal(
        "AWS has not published what such a step looks like.", "Query Athena from a Lambda or Processing step."
    ),
    "AutoML": Refusal(
        "The algorithms of Autopilot are only on AWS.", "Use a Tuning step over a training script of your own."
    ),
    "BedrockCustomModel": _BEDROCK,
    "BedrockCustomModelDeployment": _BEDROCK,
    "BedrockModelImport": _BEDROCK,
    "BedrockProvisionedModelThroughput": _BEDROCK,
    "ClarifyCheck": Refusal(
        "The image that computes bias and explanations is only on AWS, also in a MonitorBatchTransformStep.", _CHECK
    ),
    "Cleanup": Refusal(
        "What a step of this kind deletes is not published in full.",
        "Delete with boto3 in a Lambda step, or after the execution.",
    ),
    "EMR": Refusal("There are no clusters here.", _CLUSTER),
    "EMRServerless": Refusal("There are no EMR Serverless applications here.", _CLUSTER),
    "Endpoint": Refusal("No endpoint serves a model here.", _NOT_SERVED),
    "ForEach": Refusal(
        "Steps that are repeated for each item are not implemented.",
        "Write out the steps of each item, or loop over the items in one job.",
    ),
    "HubContent": Refusal("The content of SageMaker hubs is only on AWS.", _ON_AWS),
    "InferenceComponent": Refusal("No endpoint serves a model here.", _NOT_SERVED),
    "Job": Refusal(
        "What CreateJob runs, such as the customisation of foundation models, is only on AWS.",
        "Use a Training step with a script of your own.",
    ),
    "NotebookJob": Refusal(
        "The program that runs scheduled notebooks is in SageMaker Distribution's images only.",
        "Run the notebook in a Processing step, with papermill or nbconvert in its requirements.",
    ),
    "QualityCheck": Refusal(
        "The image that checks data and model quality is only on AWS, also in a MonitorBatchTransformStep.", _CHECK
    ),
}
# The entry point of a NotebookJobStep, which the SDK writes as a step of type Training.
_NOTEBOOK_SCHEDULER = "amazon_sagemaker_scheduler"


def kind_of(step: Mapping[str, Any]) -> Any:
    """Return the kind of a step of a definition: its Type, or NotebookJob for a training job that runs a notebook."""
    arguments = step.get("Arguments")
    specification = arguments.get("AlgorithmSpecification") if isinstance(arguments, Mapping) else None
    entry_point = specification.get("ContainerEntrypoint") if isinstance(specification, Mapping) else None
    is_notebook = step.get("Type") == "Training" and entry_point == [_NOTEBOOK_SCHEDULER]
    return "NotebookJob" if is_notebook else step.get("Type")


def refusal_message(step: str, kind: str, running: Iterable[str]) -> str:
    """Return the message for a step of a kind that is refused; ``running`` are the kinds that run."""
    found = REFUSED_KINDS[kind]
    return (
        f"Step [{step}] is of type [{kind}], which the local endpoint does not run. {found.reason} {found.instead} "
        f"Steps that run: {', '.join(running)}."
    )
