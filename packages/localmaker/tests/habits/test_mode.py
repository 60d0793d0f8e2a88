"""An endpoint with AWS's habits, as a client without retries meets it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from unittest import mock

import boto3.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from localmaker.daemon import EndpointHandle, running_endpoint
from localmaker.habits.mode import _unassumable

REGION = "eu-west-1"
PLACE = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
ALLOWED = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [ALLOWED]})
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@pytest.fixture(scope="module")
def habitual(tmp_path_factory) -> Iterator[EndpointHandle]:
    with (
        mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": REGION}),
        running_endpoint(tmp_path_factory.mktemp("state"), habits=3) as endpoint,
    ):
        yield endpoint


@pytest.fixture
def client(habitual):
    """Return clients that repeat nothing."""
    session = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="any", region_name=REGION)
    once = Config(retries={"total_max_attempts": 1, "mode": "standard"}, s3={"addressing_style": "path"})
    return lambda service: session.client(service, endpoint_url=habitual.url, config=once)


def outcome(call, **arguments):
    """Return the code of an error, or what the call answered."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ConnectionClosedError:
        return "closed"
    answer.pop("ResponseMetadata")
    return answer


def test_a_lost_answer_is_that_of_a_call_that_was_done(client):
    s3, done = client("s3"), set()
    for number in range(60):
        told = outcome(s3.create_bucket, Bucket=f"lost-{number}", **PLACE)
        there = {bucket["Name"] for bucket in until_answered(s3.list_buckets)["Buckets"]}
        if f"lost-{number}" in there:
            done.add(told if isinstance(told, str) else "answered")
        else:
            assert told in {"SlowDown", "InternalError"}
    assert done == {"answered", "closed", "InternalError"}


def until_answered(call, **arguments):
    while isinstance(answer := outcome(call, **arguments), str):
        assert answer in {"SlowDown", "InternalError", "500", "503"}
    return answer


def until_created(s3, name):
    while outcome(s3.create_bucket, Bucket=name, **PLACE) not in ({"Location": f"/{name}"}, "BucketAlreadyOwnedByYou"):
        pass


def test_a_new_bucket_aborts_what_follows_and_is_then_owned_by_the_one_who_creates_it_again(client):
    s3, codes = client("s3"), set()
    for number in range(12):
        name = f"again-{number}"
        while outcome(s3.create_bucket, Bucket=name, **PLACE) == "SlowDown":
            pass
        told = [outcome(s3.create_bucket, Bucket=name, **PLACE) for _ in range(12)]
        # Whatever comes between them, no abortion follows once the bucket is ready.
        ready = told.index("BucketAlreadyOwnedByYou")
        assert "OperationAborted" not in told[ready:]
        codes |= {code for code in told if isinstance(code, str)}
    assert {"OperationAborted", "BucketAlreadyOwnedByYou"} <= codes


def test_settings_are_read_as_they_were_for_a_few_calls(client):
    s3, old = client("s3"), 0
    for number in range(12):
        name = f"lag-{number}"
        until_created(s3, name)
        while outcome(s3.put_bucket_versioning, Bucket=name, VersioningConfiguration={"Status": "Enabled"}) != {}:
            pass
        read = [until_answered(s3.get_bucket_versioning, Bucket=name) for _ in range(5)]
        assert read == sorted(read, key=len)  # first without a status, then with it
        assert read[-1] == {"Status": "Enabled"}
        old += read.count({})
    assert old > 0


def until_accepted(call, **arguments):
    while outcome(call, **arguments) in ("Throttling", "ServiceUnavailable", "closed"):
        pass


def function(name, role):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass")
    return {
        "FunctionName": name,
        "Role": f"arn:aws:iam::123456789012:role/{role}",
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Code": {"ZipFile": code.getvalue()},
    }


def messages(call, **arguments):
    """Return what a call is refused with until it is not, or is for good."""
    found = []
    while True:
        try:
            call(**arguments)
        except ClientError as error:
            found.append(error.response["Error"]["Message"])
            if error.response["Error"]["Code"] == "NoSuchEntity" or "already exist" in found[-1]:
                return found
        except ConnectionClosedError:
            pass
        else:
            return found


def test_a_new_policy_is_not_known_to_lambda_at_once(client):
    iam, functions, found = client("iam"), client("lambda"), []
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    for number in range(6):
        role = f"permitted-{number}"
        until_accepted(
            iam.create_role,
            RoleName=role,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        until_accepted(iam.put_role_policy, RoleName=role, PolicyName="own", PolicyDocument=POLICY)
        letters = {"TargetArn": f"arn:aws:sns:{REGION}:123456789012:letters"}
        found += messages(functions.create_function, **function(f"p-{number}", role), DeadLetterConfig=letters)
    assert "The provided execution role does not have permissions to call Publish on SNS" in found


def test_a_role_is_kept_by_policies_that_it_had_until_now(client):
    iam, found = client("iam"), []
    for number in range(6):
        role = f"removed-{number}"
        until_accepted(iam.create_role, RoleName=role, AssumeRolePolicyDocument=TRUST)
        until_accepted(iam.put_role_policy, RoleName=role, PolicyName="own", PolicyDocument=POLICY)
        until_accepted(iam.delete_role_policy, RoleName=role, PolicyName="own")
        found += messages(iam.delete_role, RoleName=role)
    assert "Cannot delete entity, must delete policies first." in found


def test_a_new_role_can_not_be_assumed_at_once(client):
    iam, functions, codes = client("iam"), client("lambda"), set()
    for number in range(6):
        role = f"new-{number}"
        while outcome(iam.create_role, RoleName=role, AssumeRolePolicyDocument=TRUST) == "Throttling":
            pass
        request = function(f"f-{number}", role)
        while (
            isinstance(told := outcome(functions.create_function, **request), str)
            and told != "ResourceConflictException"
        ):
            codes.add(told)
    assert "InvalidParameterValueException" in codes


@pytest.mark.parametrize(
    ("service", "code", "words"),
    [
        ("lambda", "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."),
        ("sagemaker", "ValidationException", "Could not assume role arn:r. "),
        ("events", "ValidationException", "cannot be assumed by principal 'events.amazonaws.com'"),
    ],
)
def test_each_service_has_words_of_its_own_for_it(service, code, words):
    error = _unassumable(service, "arn:r")
    assert (error.code, words in error.message) == (code, True)


def test_objects_are_stored_without_habits(client):
    s3 = client("s3")
    until_created(s3, "objects")
    for number in range(100):
        s3.put_object(Bucket="objects", Key=str(number), Body=b"x")
        assert s3.get_object(Bucket="objects", Key=str(number))["Body"].read() == b"x"
