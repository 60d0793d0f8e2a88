"""What runs is named exactly: images by tag or digest, code by its content."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition, Step
from pipedef.document.locations import pattern_of
from pipedef.document.values import code_channel, follow
from pipedef.language.expressions import is_expression

_IMAGE_FIELDS = frozenset({"Image", "ImageUri", "TrainingImage"})
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_MOVING_TAGS = frozenset(
    {
        *("latest", "stable", "edge", "nightly", "canary", "current", "next", "release", "lts", "snapshot"),
        *("main", "master", "trunk", "head", "dev", "develop", "development", "test", "stage", "staging"),
        *("prod", "production"),
    }
)
#: Of a tag such as ``1.9-latest``.
_MOVING_PARTS = frozenset({"latest", "nightly"})
_CONTENT_ADDRESSED = re.compile(r"/[0-9a-f]{64}(/|$)")


@definition_check("images-pinned", "every container image has a tag that does not move, or a digest")
def images_are_pinned(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps:
        for field, image in _images(step.arguments, "Arguments"):
            reason = _moving(image)
            if reason:
                yield Problem(
                    reason,
                    "Name the version, such as …/sagemaker-scikit-learn:1.9-0-cpu-py3, or the digest.",
                    step=step.name,
                    field=field,
                )


def _images(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(path, image URI) of every image below a JSON value."""
    if isinstance(value, Mapping) and not is_expression(value):
        for key, item in value.items():
            if key in _IMAGE_FIELDS:
                yield f"{path}.{key}", item
            else:
                yield from _images(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _images(item, f"{path}[{index}]")


def _moving(image: Any) -> str:
    """Why an image can be another one tomorrow; empty where it can't."""
    if not isinstance(image, str):
        return "The image is a pipeline variable: nobody can say which one will run."
    if _DIGEST.search(image):
        return ""
    if "@" in image:
        return f"{image} has a digest that is none: sha256 and 64 hexadecimal digits."
    _, colon, tag = image.rpartition("/")[2].partition(":")
    if not colon or not tag:
        return f"{image} has no tag, which means latest."
    moves = tag.lower() in _MOVING_TAGS or _MOVING_PARTS & set(re.split(r"[-._]", tag.lower()))
    return f"{image} has a tag that moves." if moves else ""


@definition_check("code-pinned", "the code of every job is addressed by its content")
def code_is_pinned(definition: Definition) -> Iterator[Problem]:
    for step in definition.steps:
        for field, location in _code(step, definition):
            if not _CONTENT_ADDRESSED.search(location):
                yield Problem(
                    f"{location} can hold other code tomorrow.",
                    "Name it by its SHA-256, as pipeline/definition/bundle.py does.",
                    step=step.name,
                    field=field,
                )


def _code(step: Step, definition: Definition) -> Iterator[tuple[str, str]]:
    submitted = follow(step.arguments, "HyperParameters", "sagemaker_submit_directory")
    channel = code_channel(submitted)
    if channel is not None:
        yield from ((field, pattern_of(uri, definition)) for name, field, uri in step.inputs() if name == channel)
    elif submitted is not None:
        yield "Arguments.HyperParameters.sagemaker_submit_directory", pattern_of(submitted, definition)
    if step.type == "Processing" and step.script is not None:
        for name, field, uri in step.inputs():
            if name == "code":
                yield field, pattern_of(uri, definition)
