"""What can go wrong in this package.

::

    PipedefError
    ├── AwsError             AWS would refuse the definition or request, with this code and message
    ├── DefinitionError      a text is no definition at all: not JSON, or not an object with steps
    ├── UnknownCheckError    a check is selected or ignored that does not exist
    └── UnreadableFileError  a file that is to be checked is missing, or is not UTF-8

Catch :class:`DefinitionError` around ``read_definition``, and :class:`AwsError` around ``parse_definition`` and
``validate`` of the language. The command line turns every one of them into a message and exit code 2.
"""

from __future__ import annotations


class PipedefError(Exception):
    """Base of every error that this package raises on purpose."""


class AwsError(PipedefError):
    """AWS would refuse this.

    Args:
        code: AWS's error code, as botocore shows it (``ValidationException``, ``ResourceNotFound``).
        message: AWS's message, without the code.
        status: HTTP status. 4xx is not retried by botocore (except for throttling codes); 5xx is.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class DefinitionError(PipedefError):
    """A text is no pipeline definition.

    Args:
        message: what is wrong, and where.
        hint: what to do next.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\n  → {hint}")
        self.message = message
        self.hint = hint


class UnknownCheckError(PipedefError):
    """There is no check of this name."""


class UnreadableFileError(PipedefError):
    """A file that is to be checked can't be read."""
