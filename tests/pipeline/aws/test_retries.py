"""What is asked for again, how often, and what is not."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from pipeline.aws.retries import may_pass


def refusal(code, message=""):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Create")


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
        (refusal("AccessDenied"), False),
        (ValueError("no"), False),
    ],
)
def test_what_is_transient_is_waited_for(error, passes):
    assert may_pass(error) is passes
