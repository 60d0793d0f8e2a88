"""The input of a batch transform. S3Prefix means what it says: ``raw/a.csv`` also takes ``raw/a.csv.bak``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition
from pipedef.document.locations import ANYTHING, default_location, differs_by_execution, pattern_of
from pipedef.document.values import follow

_FILE_AT_THE_END = re.compile(r".*/[^/*]+\.[A-Za-z0-9]+", re.DOTALL)


@definition_check("transform-input", "a transform takes one exact key, in a folder that no other execution writes to")
def transform_takes_one_file(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps_of_type("Transform"):
        source = follow(step.arguments, "TransformInput", "DataSource", "S3DataSource")
        if follow(source, "S3DataType") != "S3Prefix":
            continue  # a manifest lists its objects
        field = "Arguments.TransformInput.DataSource.S3DataSource.S3Uri"
        location = pattern_of(source.get("S3Uri"), definition)
        if location == ANYTHING:
            # Of a parameter alone nothing is known but its default.
            location = default_location(source.get("S3Uri"), definition)
        if not _FILE_AT_THE_END.fullmatch(location):
            shown = location if location != ANYTHING else "What is known only when the pipeline runs"
            yield Problem(
                f"{shown} is a prefix: the transform takes every object whose key begins like that.",
                "Join the folder with the file's name.",
                step=step.name,
                field=field,
            )
        elif not differs_by_execution(source.get("S3Uri"), definition):
            yield Problem(
                f"{location} lies in a folder that others write to, and a key that begins like it is taken, too.",
                "Take the file from the output of a step of this execution.",
                step=step.name,
                field=field,
            )
