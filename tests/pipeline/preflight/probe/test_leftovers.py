"""What is made is removed, newest first; what can't be is named."""

from __future__ import annotations

import re

import jmespath
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipeline.errors import DeploymentError
from pipeline.preflight.probe.leftovers import _COMMANDS, Leftovers


def raising(error):
    def remove():
        raise error

    return remove


def refused(code):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DeleteThing")


def test_the_newest_goes_first_and_what_is_gone_is_no_error(aws):
    left, removed = Leftovers(aws), []
    left.note("first", lambda: removed.append("first"))
    left.note("gone", raising(refused("NoSuchEntity")))
    left.note("last", lambda: removed.append("last"))
    assert left.remove_all() == []
    assert removed == ["last", "first"]
    assert left.remove_all() == []


def test_a_refusal_that_passes_is_tried_again(aws):
    left, attempts = Leftovers(aws), []

    def remove():
        attempts.append(1)
        if len(attempts) < 3:
            raise refused("OperationAborted")

    left.note("slow", remove)
    assert left.remove_all() == []


def test_an_error_stops_no_other_removal(aws):
    left, removed = Leftovers(aws), []
    left.note("s3 rb s3://a", lambda: removed.append("a"))
    left.note("s3 rb s3://b", raising(DeploymentError("it holds\na lock")))
    left.note("s3 rb s3://c", raising(EndpointConnectionError(endpoint_url="https://x")))
    first, second = left.remove_all()
    assert first.startswith(aws.cli("s3 rb s3://c    # Could not connect"))
    assert second == aws.cli("s3 rb s3://b    # it holds")
    assert removed == ["a"]


@pytest.mark.parametrize("kind", sorted(_COMMANDS))
def test_every_command_of_a_line_goes_to_the_environment(aws, kind):
    command = aws.cli(_COMMANDS[kind].format("thing", aws=aws.cli("").rstrip()))
    assert "thing" in command
    assert len(re.findall(r"\baws (?!--endpoint-url)", command)) == 0


def test_all_versions_of_the_bucket_are_named():
    query = re.search(r"--query '(.*?)'", _COMMANDS["bucket"].format("thing", aws="aws"))[1]
    version, marker = ({"Key": "k", "VersionId": number, "Size": 1} for number in ("1", "2"))
    both = {"Versions": [version], "DeleteMarkers": [marker]}
    assert [one["VersionId"] for one in jmespath.search(query, both)["Objects"]] == ["1", "2"]
    assert jmespath.search(query, {"Versions": [version]}) == {"Objects": [{"Key": "k", "VersionId": "1"}]}


def test_a_second_interrupt_names_all_that_is_left(aws):
    left = Leftovers(aws)
    left.note("s3 rb s3://a", list)
    left.note("s3 rb s3://b", raising(KeyboardInterrupt()))
    assert left.remove_all() == [aws.cli("s3 rb s3://b"), aws.cli("s3 rb s3://a")]
