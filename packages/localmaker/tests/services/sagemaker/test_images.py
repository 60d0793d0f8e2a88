"""Images of SageMaker Studio: there are none, and programs that ask are told so as on AWS."""

import pytest


@pytest.mark.parametrize(
    ("operation", "arguments", "message"),
    [
        ("describe_image", {}, "Image with ImageName mine does not exist. Please provide a valid ImageName."),
        (
            "describe_image_version",
            {},
            "Latest ImageVersion with ImageName mine does not exist. Please provide a valid ImageName.",
        ),
        (
            "describe_image_version",
            {"Version": 3},
            "ImageVersion 3 with ImageName mine does not exist. Please provide a valid ImageName.",
        ),
    ],
)
def test_no_image_exists(endpoint, operation, arguments, message):
    sagemaker = endpoint.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound) as refusal:
        getattr(sagemaker, operation)(ImageName="mine", **arguments)
    assert refusal.value.response["Error"]["Message"] == message
