"""ARNs behind image URIs and queue URLs."""

from __future__ import annotations

import pytest

from pipedef.arns import queue_arn, repository_arn

IMAGE = "683313688378.dkr.ecr.eu-west-1.amazonaws.com/team/own-image"
REPOSITORY = "arn:aws:ecr:eu-west-1:683313688378:repository/team/own-image"


@pytest.mark.parametrize(
    ("image", "arn"),
    [
        (f"{IMAGE}:1.0", REPOSITORY),
        (f"{IMAGE}@sha256:{'0' * 64}", REPOSITORY),
        (IMAGE, REPOSITORY),
        (
            "683313688378.dkr.ecr.cn-north-1.amazonaws.com.cn/x:1",
            "arn:aws-cn:ecr:cn-north-1:683313688378:repository/x",
        ),
        ("python:3.12", None),
        ({"Get": "Parameters.Image"}, None),
    ],
)
def test_an_image_names_its_repository(image, arn):
    assert repository_arn(image) == arn


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/ask", "arn:aws:sqs:eu-west-1:111122223333:ask"),
        ("http://127.0.0.1:4566/123456789012/ask.fifo", "arn:aws:sqs:eu-west-1:123456789012:ask.fifo"),
        ({"Get": "Parameters.Queue"}, None),
        (None, None),
    ],
)
def test_a_queue_is_known_by_its_url(url, arn):
    assert queue_arn(url, "eu-west-1") == arn
