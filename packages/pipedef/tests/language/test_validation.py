"""What is refused about a definition, each with the good case beside it."""

from __future__ import annotations

import contextlib
import functools
import json
import operator

import pytest

from pipedef.errors import AwsError
from pipedef.language.parsing import parse_definition
from pipedef.language.validation import validate


def check(text):
    validate(parse_definition(text))


def test_good_definitions_pass(build):
    evaluate = build.processing(
        "Evaluate",
        outputs={"out": "s3://b/o"},
        PropertyFiles=[{"PropertyFileName": "Report", "OutputName": "out", "FilePath": "r.json"}],
        CacheConfig={"Enabled": True, "ExpireAfter": "30dT5h"},
        RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "ExpireAfterMin": 60}],
    )
    gate = build.condition(
        "Gate",
        [
            {"Type": "Not", "Condition": build.equals(build.json_get("Evaluate", "Report", "r2"), 1)},
            {
                "Type": "In",
                "QueryValue": build.get("Parameters.P"),
                "Values": ["a", build.get("Execution.PipelineName")],
            },
        ],
        [build.training("Train"), build.condition("Inner", [], [build.fail("No", build.get("Steps.Gate.Outcome"))])],
        [build.processing("Else", DependsOn=["Evaluate", {"Step": "Gate", "Trigger": "Any"}])],
    )
    untyped = {"Name": "P", "DefaultValue": "text", "Description": "a string, as nothing else is said"}
    check(build.definition(evaluate, gate, parameters=(untyped,), PipelineExperimentConfig=None))


def read(mode):
    source = {"S3Uri": "s3://b/k", "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix", "S3InputMode": mode}
    return {"InputName": "in", "S3Input": source}


def resources(build, name, count):
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": count, "VolumeSizeInGB": 1}
    return build.processing(name, extra={"ProcessingResources": {"ClusterConfig": cluster}})


def bad_cases(build):
    a, b = build.processing("A"), build.processing("B")
    cache = {"Enabled": True}
    ask = {
        "Name": "Ask",
        "Type": "Callback",
        "SqsQueueUrl": "http://queue",
        "OutputParameters": [{"OutputName": "n", "OutputType": "Integer"}],
    }
    return {
        "json": ("{", "Invalid Json"),
        "no object": ("[]", "Expecting start of Json Object"),
        "version": (json.dumps({"Version": "1", "Steps": []}), r"Version \[1\]"),
        "member": (build.definition(a, Stepps=[]), "Unknown Pipeline member 'Stepps'"),
        "parameter of an experiment": (
            build.definition(a, PipelineExperimentConfig={"ExperimentName": build.get("Parameters.Gone")}),
            r"PipelineExperimentConfig refers to parameter \[Gone\], which does not exist",
        ),
        "step in an experiment": (
            build.definition(a, PipelineExperimentConfig={"TrialName": build.get("Steps.A.ProcessingJobName")}),
            r"PipelineExperimentConfig cannot refer to a step \[Steps.A.ProcessingJobName\]",
        ),
        "variable of MLflow": (
            build.definition(a, MlflowConfig={"MlflowExperimentName": build.get("Execution.Mood")}),
            r"MlflowConfig refers to unknown execution variable \[Mood\]",
        ),
        "member of MLflow": (build.definition(a, MlflowConfig={"Uri": "x"}), "Unknown MlflowConfig member 'Uri'"),
        "member of an experiment": (
            build.definition(a, PipelineExperimentConfig={"Name": "x"}),
            "Unknown PipelineExperimentConfig member 'Name'",
        ),
        "no steps": (build.definition(), "at least one step"),
        "steps type": (build.definition().replace('"Steps": []', '"Steps": {}'), "Expecting start of Json Array"),
        "duplicate": (build.definition(a, a), r"Duplicate step name \[A\]"),
        "duplicate in a branch": (build.definition(a, build.condition("C", [], [a])), r"Duplicate step name \[A\]"),
        "step type": (build.definition({**a, "Type": "Magic"}), r"Unknown step type \[Magic\] of step \[A\]"),
        "type of AWS only": (
            build.definition({**a, "Type": "EMR"}),
            r"\[EMR\], which the local endpoint does not",
        ),
        "step member": (build.definition({**a, "Depends": []}), r"Unknown Step member 'Depends' of step \[A\]"),
        "step name": (build.definition({**a, "Name": "a b"}), r"Invalid step name \[a b\]"),
        "dependency": (
            build.definition({**a, "DependsOn": ["Gone"]}),
            r"Step \[A\] depends on step \[Gone\], which does not exist",
        ),
        "trigger": (build.definition(b, {**a, "DependsOn": [{"Step": "B", "Trigger": "Maybe"}]}), r"Trigger \[Maybe\]"),
        "dependency on a Fail step": (
            build.definition(build.fail("FailStep", "x"), build.condition("CondStep", [], DependsOn=["FailStep"])),
            "CondStep can not depends on FailStep",
        ),
        "dependency on a Fail step's failure": (
            build.definition(
                build.fail("FailStep", "x"), {**a, "DependsOn": [{"Step": "FailStep", "Trigger": "Failed"}]}
            ),
            "A can not depends on FailStep",
        ),
        "retries of a condition": (
            build.definition({**build.condition("C", []), "RetryPolicies": []}),
            r"Unknown Step member 'RetryPolicies' of step \[C\]",
        ),
        "retries of a callback": (
            build.definition({**ask, "RetryPolicies": []}),
            r"Unknown Step member 'RetryPolicies' of step \[Ask\]",
        ),
        "cache of a Fail step": (
            build.definition({**build.fail("F", "x"), "CacheConfig": {"Enabled": False}}),
            r"Unknown Step member 'CacheConfig' of step \[F\]",
        ),
        "cache of a model": (
            build.definition(
                {"Name": "M", "Type": "Model", "Arguments": {}, "CacheConfig": {**cache, "ExpireAfter": "1d"}}
            ),
            r"Unknown Step member 'CacheConfig' of step \[M\]",
        ),
        "unknown member of a condition": (
            build.definition(build.condition("C", [{"Type": "Not", "Expression": {}}])),
            "Cannot parse object, unknown property 'Expression'",
        ),
        "conflicting triggers": (
            build.definition(b, {**a, "DependsOn": ["B", {"Step": "B", "Trigger": "Failed"}]}),
            "conflicting triggers",
        ),
        "cycle": (
            build.definition({**a, "DependsOn": ["B"]}, {**b, "DependsOn": ["A"]}),
            r"cycle: (A -> B -> A|B -> A -> B)",
        ),
        "self": (build.definition({**a, "DependsOn": ["A"]}), "cycle: A -> A"),
        "cycle with a branch": (
            build.definition(
                build.condition("C", [build.equals(build.get("Steps.A.ProcessingJobName"), "x")], [a]),
            ),
            "cycle",
        ),
        "parameter": (
            build.definition(build.processing("A", build.get("Parameters.Gone"))),
            r"Step \[A\] refers to parameter \[Gone\], which does not exist",
        ),
        "step": (
            build.definition(build.processing("A", build.get("Steps.Gone.ProcessingJobName"))),
            r"refers to step \[Gone\], which does not exist",
        ),
        "variable": (
            build.definition(build.processing("A", build.get("Execution.Mood"))),
            r"unknown execution variable \[Mood\]",
        ),
        "property": (
            build.definition(b, build.processing("A", build.get("Steps.B.Nothing.Here"))),
            r"Invalid property reference \[Steps.B.Nothing.Here\]",
        ),
        "property of a Fail step": (
            build.definition(build.fail("F", "x"), build.processing("A", build.get("Steps.F.ErrorMessage"))),
            "Invalid property reference",
        ),
        "property file": (
            build.definition(b, build.condition("C", [build.equals(build.json_get("B", "Report", "x"), 1)])),
            r"property file \[Report\], which step \[B\] does not define",
        ),
        "output of a property file": (
            build.definition(
                {**a, "PropertyFiles": [{"PropertyFileName": "R", "OutputName": "out", "FilePath": "r.json"}]}
            ),
            r"names unknown output \[out\]",
        ),
        "branches": (
            build.definition(build.condition("C", [], [a], [{**b, "DependsOn": ["A"]}])),
            r"Step \[B\] depends on step \[A\] of the other branch of \[C\]",
        ),
        "argument": (
            build.definition(build.processing("A", extra={"ProcessingJobNam": "x"})),
            "Unknown Argument member 'ProcessingJobNam'",
        ),
        "nested argument": (
            build.definition(build.processing("A", extra={"AppSpecification": {"Image": "x"}})),
            "Unknown Argument member 'Image'",
        ),
        "list": (build.definition(build.processing("A", extra={"ProcessingInputs": {}})), "Json Array"),
        "value of an enumeration": (
            build.definition(build.processing("A", extra={"ProcessingInputs": [read("FastFile")]})),
            r"Model Validation failed: Value 'FastFile' for 'ProcessingS3InputMode' failed to satisfy enum value set",
        ),
        "too many inputs": (
            build.definition(build.processing("A", extra={"ProcessingInputs": [read("File")] * 11})),
            "Value .* for 'ProcessingInputs' failed to satisfy length less than or equal to 10",
        ),
        "pattern": (
            build.definition(build.processing("A", extra={"RoleArn": "me"})),
            "Model Validation failed: Value 'me' for 'RoleArn' failed to satisfy",
        ),
        "object for a number": (
            build.definition(resources(build, "A", {"x": 1})),
            r"Expecting a value of type \[Integer\]",
        ),
        "text for a number": (
            build.definition(resources(build, "A", "many")),
            r"Model Validation failed: Value 'many' for 'ProcessingInstanceCount' is not of type \[Integer\]",
        ),
        "null": (build.definition(resources(build, "A", None)), r"Expecting a value of type \[Integer\]"),
        "type of a parameter": (
            build.definition(
                build.processing("A", build.get("Parameters.N")), parameters=(build.parameter("N", "Integer", 1),)
            ),
            r"Cannot assign property reference \[Parameters.N\] to argument of type \[String\]",
        ),
        "type of a property": (
            build.definition(
                b,
                build.processing("A", build.get("Steps.B.ProcessingResources.ClusterConfig.InstanceCount")),
            ),
            r"to argument of type \[String\]",
        ),
        "callback without a queue": (
            build.definition({"Name": "A", "Type": "Callback", "Arguments": {}}),
            r"Step \[A\] needs SqsQueueUrl",
        ),
        "output parameter": (
            build.definition({**ask, "OutputParameters": [{"OutputName": "x", "OutputType": "List"}]}),
            r"An output parameter of step \[Ask\] needs OutputName and OutputType",
        ),
        "duplicate output parameter": (
            build.definition({**ask, "OutputParameters": ask["OutputParameters"] * 2}),
            r"Duplicate output parameter \[n\] of step \[Ask\]",
        ),
        "reference to an output parameter": (
            build.definition(ask, build.processing("A", build.get("Steps.Ask.OutputParameters['m']"))),
            r"there is no output parameter \[m\]; declared: n",
        ),
        "type of an output parameter": (
            build.definition(ask, build.processing("A", build.get("Steps.Ask.OutputParameters['n']"))),
            r"Cannot assign property reference \[Steps.Ask.OutputParameters\['n'\]\] to argument of type \[String\]",
        ),
        "property of a callback": (
            build.definition(ask, build.processing("A", build.get("Steps.Ask.Token"))),
            "a Callback step has Steps.<step>.OutputParameters",
        ),
        "queue of a step that does not exist": (
            build.definition({**ask, "SqsQueueUrl": build.get("Steps.Z.OutputParameters['q']")}),
            r"Step \[Ask\] refers to step \[Z\], which does not exist",
        ),
        "callback member of another step": (
            build.definition({**a, "SqsQueueUrl": "x"}),
            "Unknown Step member 'SqsQueueUrl'",
        ),
        "fail arguments": (build.definition({"Name": "F", "Type": "Fail", "Arguments": {}}), "ErrorMessage"),
        "cache": (build.definition({**a, "CacheConfig": cache}), "needs ExpireAfter"),
        "cache duration": (
            build.definition({**a, "CacheConfig": {**cache, "ExpireAfter": "soon"}}),
            r"ExpireAfter \[soon\] of step \[A\]",
        ),
        "retry policy": (
            build.definition({**a, "RetryPolicies": [{"ExceptionType": ["Sad"]}]}),
            r"Step \[A\]: unknown ExceptionType \[Sad\]",
        ),
        "condition": (
            build.definition(build.condition("C", [{"Type": "Near"}])),
            r"Step \[C\]: Invalid condition type",
        ),
        "duplicate parameter": (
            build.definition(a, parameters=(build.parameter("P"), build.parameter("P"))),
            r"Duplicate parameter name \[P\]",
        ),
        "parameter type": (build.definition(a, parameters=(build.parameter("P", "List"),)), r"Unknown type \[List\]"),
        "member of a parameter": (
            build.definition(a, parameters=(build.parameter("P", Defalt="x"),)),
            r"Unknown Parameter member 'Defalt' of parameter \[P\]",
        ),
        "metadata": (build.definition(a, Metadata=[]), "Expecting start of Json Object at Metadata"),
        "display name": (
            build.definition({**a, "DisplayName": {"Get": "Execution.PipelineName"}}),
            r"DisplayName of step \[A\] must be a string",
        ),
        "description": (build.definition({**a, "Description": "x" * 3073}), r"Description of step \[A\] .* up to 3072"),
        "member of a cache": (
            build.definition({**a, "CacheConfig": {"Enable": True}}),
            r"Unknown CacheConfig member 'Enable' of step \[A\]",
        ),
        "default": (build.definition(a, parameters=(build.parameter("P", "Integer", "1"),)), "DefaultValue"),
        "boolean default of an integer": (
            build.definition(a, parameters=(build.parameter("P", "Integer", True),)),
            "DefaultValue",
        ),
        "default and enum": (
            build.definition(a, parameters=(build.parameter("P", "String", "x", EnumValues=["y"]),)),
            r"DefaultValue \[x\] of parameter \[P\]",
        ),
    }


def test_bad_definitions_are_refused(build, subtests):
    for name, (text, said) in bad_cases(build).items():
        with subtests.test(name):
            with pytest.raises(AwsError, match=said) as caught:
                check(text)
            assert caught.value.code == "ValidationException"


ODD = (
    None,
    True,
    7,
    "",
    "x",
    [],
    [[]],
    {},
    {"Get": None},
    {"Get": "Steps.A"},
    {"Std:Join": 1},
    {"Std:JsonGet": {}},
    10**400,
)


def places(value, path=()):
    """Yield the path of every value in a JSON document, without the document's own."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def test_whatever_stands_anywhere_is_accepted_or_refused(build):
    file = {"PropertyFileName": "R", "OutputName": "o", "FilePath": "r.json"}
    text = build.definition(
        build.processing(
            "A",
            outputs={"o": "s3://b/o"},
            PropertyFiles=[file],
            CacheConfig={"Enabled": True, "ExpireAfter": "P1D"},
            RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 1, "BackoffRate": 2.0}],
        ),
        build.condition("C", [build.equals(build.json_get("A", "R", "x"), 1)], [build.training("T")]),
        {
            "Name": "L",
            "Type": "Lambda",
            "FunctionArn": "f",
            "Arguments": {"a": build.join("", "b")},
            "OutputParameters": [{"OutputName": "x", "OutputType": "String"}],
        },
        build.fail("F", "x", DependsOn=["A", {"Step": "C", "Trigger": "Any"}]),
        parameters=(build.parameter("P", "String", "x", EnumValues=["x"]),),
        PipelineExperimentConfig={"ExperimentName": "e", "TrialName": "t"},
    )
    check(text)
    for path in places(json.loads(text)):
        for value in ODD:
            changed = json.loads(text)
            *above, last = path
            functools.reduce(operator.getitem, above, changed)[last] = value
            with contextlib.suppress(AwsError):
                check(json.dumps(changed))
