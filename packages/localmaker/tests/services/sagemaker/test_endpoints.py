"""Endpoints and their configurations match botocore's service model, which the client checks."""

from __future__ import annotations

import pytest
import requests
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/r"


def create(sagemaker, name):
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return variant


def test_descriptions_hold_what_was_given(endpoint, unique):
    sagemaker = endpoint.client("sagemaker")
    variant = create(sagemaker, unique)
    described = sagemaker.describe_endpoint_config(EndpointConfigName=unique)
    assert described["EndpointConfigName"] == unique
    assert described["ProductionVariants"][0].items() >= variant.items()
    running = sagemaker.describe_endpoint(EndpointName=unique)
    assert running["EndpointConfigName"] == unique
    for answer in (described, running):
        assert not [name for name, value in answer.items() if value in ({}, [], None)]


def test_no_answer_is_made_up_for_a_model_that_is_not_served(endpoint, unique):
    runtime = endpoint.client("sagemaker-runtime")
    with pytest.raises(ClientError, match=f"Endpoint {unique} of account 123456789012 not found") as unknown:
        runtime.invoke_endpoint(EndpointName=unique, Body=b"1,2", ContentType="text/csv")
    assert unknown.value.response["Error"]["Code"] == "ValidationError"
    create(endpoint.client("sagemaker"), unique)
    with pytest.raises(ClientError, match="serves no models") as refused:
        runtime.invoke_endpoint(EndpointName=unique, Body=b"1,2", ContentType="text/csv")
    assert refused.value.response["Error"]["Code"] == "ModelError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    result = {"Body": "3", "ContentType": "text/csv", "InvokedProductionVariant": "v", "CustomAttributes": "c"}
    prepared = requests.post(
        f"{endpoint.url}/moto-api/static/sagemaker/endpoint-results", json={"results": [result]}, timeout=10
    )
    assert prepared.status_code == 201
    answer = runtime.invoke_endpoint(EndpointName=unique, Body=b"1,2", ContentType="text/csv")
    assert (answer["Body"].read(), answer["InvokedProductionVariant"]) == (b"3", "v")
