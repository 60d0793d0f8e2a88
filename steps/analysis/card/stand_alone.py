"""A version's card as a model card of its own: another schema, which also has the model package.

Needs the standard library only: a Lambda function makes the card when a version is registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.card.texts import ARN, LABEL, LINE, NAME, fitting, without_nothing

MODEL, ALGORITHM, PROBLEM, OWNER = "Model", "Algorithm", "Problem type", "Model owner"
"""Custom details of a package's card that have a field of their own here."""
_ALGORITHM_NAME = 170


def stand_alone(package_card: Mapping[str, Any], package: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a stand-alone model card.

    package_card: the parsed ``ModelCard.ModelCardContent`` of the package. package: the answer of DescribeModelPackage;
    what it lacks, as what it has too long, is left out or cut.
    """
    additional = dict(package_card.get("additional_information", {}))
    details = dict(additional.get("custom_details", {}))
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    images = [fitting(one["Image"], LINE) for one in containers if one.get("Image")]
    overview = {
        "model_id": package.get("ModelPackageArn"),
        "model_name": package.get("ModelPackageGroupName"),
        "model_description": details.pop(MODEL, None) or package.get("ModelPackageDescription"),
        "model_owner": details.pop(OWNER, None),
        "algorithm_type": details.pop(ALGORITHM, None),
        "problem_type": details.pop(PROBLEM, None),
    }
    return without_nothing(
        {
            **package_card,
            "model_overview": without_nothing(
                {
                    **package_card.get("model_overview", {}),
                    **{name: fitting(value, LINE) for name, value in overview.items() if value},
                    "model_version": package.get("ModelPackageVersion"),
                    "inference_environment": {"container_image": images[:1]} if images else None,
                }
            ),
            "model_package_details": _package_details(package, containers),
            "additional_information": without_nothing({**additional, "custom_details": details}),
        }
    )


def _package_details(package: Mapping[str, Any], containers: list[dict[str, Any]]) -> dict[str, Any]:
    texts = {
        "model_package_arn": ("ModelPackageArn", 2 * LINE),
        "model_package_group_name": ("ModelPackageGroupName", LABEL),
        "model_package_description": ("ModelPackageDescription", LINE),
        "model_package_status": ("ModelPackageStatus", LABEL),
        "model_approval_status": ("ModelApprovalStatus", LABEL),
        "approval_description": ("ApprovalDescription", LINE),
        "domain": ("Domain", NAME),
        "task": ("Task", NAME),
    }
    found = {name: fitting(package[key], longest) for name, (key, longest) in texts.items() if package.get(key)}
    algorithms = [
        without_nothing(
            {
                "algorithm_name": fitting(one["AlgorithmName"], _ALGORITHM_NAME),
                "model_data_url": one.get("ModelDataUrl"),
            }
        )
        for one in package.get("SourceAlgorithmSpecification", {}).get("SourceAlgorithms", [])[:1]
    ]
    served = [
        without_nothing({"image": fitting(one["Image"], ARN - 1), "model_data_url": one.get("ModelDataUrl")})
        for one in containers
        if one.get("Image")
    ]
    return without_nothing(
        {
            **found,
            "model_package_version": package.get("ModelPackageVersion"),
            "source_algorithms": algorithms,
            "inference_specification": {"containers": served[:15]} if served else None,
        }
    )
