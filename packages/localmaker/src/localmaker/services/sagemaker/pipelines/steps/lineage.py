"""Lineage steps: entities are created, then associations between them or with entities that are there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.pipelines.records import StepStatus
from localmaker.services.sagemaker.pipelines.steps.attempts import (
    Attempt,
    StepFailure,
    StepResult,
    refusal,
    resolve_arguments,
)
from pipedef.language.arguments import LINEAGE_OPERATIONS, fit, operation_shape


def run_lineage(attempt: Attempt) -> StepResult:
    """Create the entities and associations."""
    client, arguments = attempt.services.client("sagemaker"), resolve_arguments(attempt.step, attempt.scope)
    outputs: dict[str, Any] = {}
    created: dict[tuple[str, str], str] = {}
    for member, (operation, kind) in LINEAGE_OPERATIONS.items():
        for entry in arguments.get(member, []):
            request = fit(entry, operation_shape(operation))
            arn = _call(client, operation, request)[f"{kind}Arn"]
            name = request.get(f"{kind}Name", arn)
            outputs.setdefault(f"{kind}Arns", {})[name] = created[kind, name] = arn
    for entry in arguments.get("Associations", []):
        ends = {f"{end}Arn": _arn(entry[end], created) for end in ("Source", "Destination")}
        kind_of_edge = {"AssociationType": entry["AssociationType"]} if "AssociationType" in entry else {}
        _call(client, "AddAssociation", {**ends, **kind_of_edge})
        outputs.setdefault("Associations", []).append(ends)
    return StepResult(StepStatus.SUCCEEDED, outputs, {"Lineage": outputs})


def _call(client: Any, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
    methods = {name: method for method, name in client.meta.method_to_api_mapping.items()}
    try:
        answer: dict[str, Any] = getattr(client, methods[operation])(**request)
    except (ClientError, BotoCoreError) as exc:
        raise refusal(f"sagemaker:{operation}", exc) from exc
    return answer


def _arn(end: Mapping[str, str], created: Mapping[tuple[str, str], str]) -> str:
    """Return the ARN of one end of an association; a name is that of an entity of the same step, as on AWS."""
    if "Arn" in end:
        return end["Arn"]
    arn = created.get((end["Type"], end["Name"]))
    if arn is None:
        raise StepFailure(f"ClientError: This step creates no {end['Type']} with the name [{end['Name']}].")
    return arn
