"""Refusals of a definition, in AWS's words."""

from __future__ import annotations

from typing import Any, NoReturn

from pipedef.errors import AwsError


def refuse(message: str) -> NoReturn:
    """Raise what CreatePipeline raises on a bad definition."""
    raise AwsError("ValidationException", f"Unable to parse pipeline definition. {message}")


def json_object(value: Any, where: str) -> dict[str, Any]:
    """Return a value as an object; ``where`` is for the message.

    Raises:
        AwsError: ValidationException.
    """
    if not isinstance(value, dict):
        refuse(f"Expecting start of Json Object at {where}.")
    return value


def json_list(value: Any, where: str) -> list[Any]:
    """Return a value as a list; ``where`` is for the message.

    Raises:
        AwsError: ValidationException.
    """
    if not isinstance(value, list):
        refuse(f"Expecting start of Json Array at {where}.")
    return value
