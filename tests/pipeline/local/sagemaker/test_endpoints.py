"""Endpoints and their configurations are described as botocore's service model has them; the client checks that."""

from __future__ import annotations

ROLE = "arn:aws:iam::123456789012:role/r"


def test_descriptions_hold_what_was_given(endpoint, unique):
    sagemaker = endpoint.client("sagemaker")
    sagemaker.create_model(ModelName=unique, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    variant = {"VariantName": "v", "ModelName": unique, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    arn = sagemaker.create_endpoint_config(EndpointConfigName=unique, ProductionVariants=[variant])["EndpointConfigArn"]
    described = sagemaker.describe_endpoint_config(EndpointConfigName=unique)
    assert described["EndpointConfigArn"] == arn
    assert described["ProductionVariants"][0].items() >= variant.items()
    sagemaker.create_endpoint(EndpointName=unique, EndpointConfigName=unique)
    running = sagemaker.describe_endpoint(EndpointName=unique)
    assert running["EndpointConfigName"] == unique
    for answer in (described, running):
        assert not [name for name, value in answer.items() if value in ({}, [], None)]
