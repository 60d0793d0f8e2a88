"""What is asked for again, how often, and what is not."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from pipeline.aws.retries import Pace, may_pass


def refusal(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Create")


def invalid(message):
    return refusal("InvalidParameterValueException", message)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (refusal("ValidationException", "The role can not be assumed by principal 'events.amazonaws.com'"), True),
        (refusal("ValidationException", "1 validation error detected"), False),
        (refusal("AWS.SimpleQueueService.QueueDeletedRecently"), True),
        (refusal("QueueDeletedRecently"), True),
        (refusal("OperationAborted", "A conflicting conditional operation is in progress"), True),
        (refusal("OperationAbortedException"), True),
        (refusal("ConcurrentModificationException"), True),
        # The policies of a role are known to other services later than to IAM.
        (invalid("The provided execution role does not have permissions to call CreateNetworkInterface on EC2"), True),
        (invalid("The provided execution role does not have permissions to call Publish on SNS"), True),
        (refusal("ValidationException", "Cannot read it. Please ensure that the role can perform s3:GetObject"), True),
        (refusal("ValidationException", "Please ensure the role can perform sagemaker:CreateModel"), True),
        # CreateFeatureGroup: the first of a new role, the second where its rights to the bucket are new.
        (refusal("ValidationException", "The execution role ARN is invalid."), True),
        (refusal("ValidationException", "Invalid S3Uri provided"), True),
        (invalid("Unzipped size must be smaller than 262144000 bytes"), False),
        # Terraform meets it as well: hashicorp/terraform#14707.
        (refusal("DeleteConflict", "Cannot delete entity, must delete policies first."), True),
        (refusal("EntityTemporarilyUnmodifiable"), True),
        (refusal("AccessDenied"), False),
        (ValueError("no"), False),
    ],
)
def test_what_is_transient_is_waited_for(error, passes):
    assert may_pass(error) is passes


@pytest.mark.parametrize(
    ("error", "repeated"), [(ConnectTimeoutError(endpoint_url="x"), 2), (ReadTimeoutError(endpoint_url="x"), 9)]
)
def test_an_address_that_does_not_answer_is_tried_thrice(error, repeated):
    client = boto3.client(
        "sqs",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    attempts = []

    def fail(**_):
        attempts.append(1)
        # Ten are enough to tell that it goes on.
        raise error if len(attempts) < 10 else KeyError

    client.meta.events.register("before-send", fail)
    Pace(0.001, 0.001, 60, 60).register(client)
    with pytest.raises((type(error), KeyError)):
        client.list_queues()
    assert len(attempts) == repeated + 1
