"""Pieces of pipeline definitions, for tests of this package and of those that stand on it."""

from __future__ import annotations

import json
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/pipeline"


class Build:
    """Pieces of definitions."""

    role = ROLE

    @staticmethod
    def definition(*steps: dict[str, Any], parameters: tuple[dict[str, Any], ...] = (), **more: Any) -> str:
        document = {"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), "Steps": list(steps)}
        return json.dumps({**document, **more})

    @staticmethod
    def parameter(name: str, kind: str = "String", default: Any = None, **more: Any) -> dict[str, Any]:
        declared = {"Name": name, "Type": kind, **more}
        return declared if default is None else {**declared, "DefaultValue": default}

    @staticmethod
    def processing(name: str, *arguments: Any, outputs: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        given = {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["python3", "x.py"]},
            "RoleArn": ROLE,
        }
        if arguments:
            given["AppSpecification"]["ContainerArguments"] = list(arguments)
        if outputs:
            given["ProcessingOutputConfig"] = {
                "Outputs": [
                    {
                        "OutputName": key,
                        "S3Output": {"S3Uri": uri, "LocalPath": f"/opt/ml/{key}", "S3UploadMode": "EndOfJob"},
                    }
                    for key, uri in outputs.items()
                ]
            }
        given.update(more.pop("extra", {}))
        return {"Name": name, "Type": "Processing", "Arguments": given, **more}

    @staticmethod
    def training(name: str, **more: Any) -> dict[str, Any]:
        given = {
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://models/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
            **more.pop("extra", {}),
        }
        return {"Name": name, "Type": "Training", "Arguments": given, **more}

    @staticmethod
    def condition(
        name: str, conditions: list[Any], if_steps: list[Any] = (), else_steps: list[Any] = (), **more: Any
    ) -> dict[str, Any]:
        given = {"Conditions": conditions, "IfSteps": list(if_steps), "ElseSteps": list(else_steps)}
        return {"Name": name, "Type": "Condition", "Arguments": given, **more}

    @staticmethod
    def fail(name: str, message: Any, **more: Any) -> dict[str, Any]:
        return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **more}

    @staticmethod
    def equals(left: Any, right: Any) -> dict[str, Any]:
        return {"Type": "Equals", "LeftValue": left, "RightValue": right}

    @staticmethod
    def get(path: str) -> dict[str, str]:
        return {"Get": path}

    @staticmethod
    def join(on: str, *values: Any) -> dict[str, Any]:
        return {"Std:Join": {"On": on, "Values": list(values)}}

    @staticmethod
    def json_get(step: str, file: str, path: str) -> dict[str, Any]:
        return {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{step}.PropertyFiles.{file}"}, "Path": path}}
