"""Containers without a network, and several instances: what a step must not do, or has to do, then."""

from __future__ import annotations

from collections.abc import Iterator

from pipedef.checks.permissions import script_actions
from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.values import code_channel, follow, objects


def _isolation(step: Step) -> str | None:
    """Path of the field that takes the network from a step's container; None where it has one."""
    for keys in (("EnableNetworkIsolation",), ("NetworkConfig", "EnableNetworkIsolation")):
        if follow(step.arguments, *keys) is True:
            return ".".join(("Arguments", *keys))
    return None


@definition_check("network-isolation", "containers without a network call no AWS API and fetch no code")
def isolated_steps_need_no_network(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps:
        field = _isolation(step)
        if field is None:
            continue
        actions = script_actions(step)
        if actions:
            yield Problem(
                f"{step.script} takes {', '.join(sorted(set(actions)))}, and the container has no network.",
                f"Take {step.name} out of network.isolated_steps.",
                step=step.name,
                field=field,
            )
        submitted = follow(step.arguments, "HyperParameters", "sagemaker_submit_directory")
        if submitted is not None and code_channel(submitted) is None:
            yield Problem(
                "The training toolkit fetches the code from S3 inside the container, which has no network.",
                "Give the code as a channel and name its path in /opt/ml/input/data.",
                step=step.name,
                field="Arguments.HyperParameters.sagemaker_submit_directory",
            )


@definition_check("instances-share-work", "several instances of a processing job do not all do the same")
def instances_share_the_work(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps_of_type("Processing"):
        count = follow(step.arguments, "ProcessingResources", "ClusterConfig", "InstanceCount")
        distributions = [
            follow(item, "S3Input", "S3DataDistributionType")
            for _, item in objects(step.arguments.get("ProcessingInputs"))
        ]
        if isinstance(count, int) and count > 1 and "ShardedByS3Key" not in distributions:
            yield Problem(
                f"Each of the {count} instances gets all of the input and writes to the same outputs.",
                "Use one instance, or distribute an input with ShardedByS3Key.",
                step=step.name,
                field="Arguments.ProcessingResources.ClusterConfig.InstanceCount",
            )
