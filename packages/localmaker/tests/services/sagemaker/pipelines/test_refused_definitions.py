"""Answers of CreatePipeline to definitions that would exhaust the parser."""

from __future__ import annotations

import pytest

from localmaker.errors import AwsError


@pytest.mark.parametrize("text", ["[" * 100_000, '{"Steps": ' + "[" * 900 + "]" * 900 + "}"], ids=["open", "closed"])
def test_a_definition_that_is_nested_too_deeply_is_refused(call, build, text):
    with pytest.raises(AwsError, match="Unable to parse pipeline definition"):
        call("CreatePipeline", PipelineName="p", RoleArn=build.role, PipelineDefinition=text)


def test_arguments_that_are_nested_too_deeply_are_refused(call, build):
    nested = '{"Std:Join": {"On": "/", "Values": [' * 400 + '"x"' + "]}}" * 400
    text = build.definition(build.processing("A", "here")).replace('"here"', nested)
    with pytest.raises(AwsError, match=r"Unable to parse pipeline definition\. It is nested too deeply"):
        call("CreatePipeline", PipelineName="p", RoleArn=build.role, PipelineDefinition=text)
