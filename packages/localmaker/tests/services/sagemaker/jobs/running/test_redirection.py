"""A job's programs stay at the endpoint, also where they name AWS's own addresses."""

from __future__ import annotations

from localmaker.services.sagemaker.jobs.kinds import JobKind

PROGRAM = """
import boto3, os
from_aws = boto3.client("sts", endpoint_url="https://sts.eu-west-1.amazonaws.com").meta.endpoint_url
other = boto3.client("sts", endpoint_url="http://127.0.0.1:9").meta.endpoint_url
assert (from_aws, other) == (os.environ["AWS_ENDPOINT_URL"], "http://127.0.0.1:9"), (from_aws, other)
"""


def test_a_job_that_names_awss_own_address_reaches_the_endpoint(jobs):
    request = jobs.processing_request('python3 -c "$1"', arguments=(PROGRAM,))
    description = jobs.run(JobKind.PROCESSING, request)
    assert description["ProcessingJobStatus"] == "Completed", jobs.log(JobKind.PROCESSING, request["ProcessingJobName"])
