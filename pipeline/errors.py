"""Every error that the command line and the library raise on purpose.

::

    PipelineError                      catch it to handle any: a message, and what to do next
    ├── SettingsError                  an environment file or variable is wrong: correct the key that is named
    ├── DefinitionError                the definition can't be compiled, or a check finds a problem in it
    ├── DeploymentError                a resource could not be planned, created, changed or removed
    │   └── TooSlowError               … in time: the state that it was last seen in is named
    ├── ExecutionError                 an execution could not be started, found, followed or stopped, or it failed
    ├── DeclarationError               a data set's declaration is wrong: correct the lines that are named
    ├── InputFileError                 a local file can't be read: give another path
    ├── OutputFileError                a local file can't be written: give another path
    ├── LocalEndpointUnavailableError  the local AWS endpoint is not installed, did not start or does not answer
    ├── RegistryError                  a registered version could not be found, read, approved or rejected
    └── RecoveryError                  a backup could not be made or used, or an environment not be restored from it

Errors of the local endpoint are in :mod:`localmaker.errors`, those of the step scripts in
``steps/analysis/runtime/errors.py``; neither can import this module (see the import contracts in ``pyproject.toml``).
"""

from collections.abc import Sequence
from typing import Any


class PipelineError(Exception):
    """What happened and where, and as hint the next command or edit; printed without a traceback."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  → {self.hint}"


class SettingsError(PipelineError):
    """An environment file or variable holds an unknown key or an impossible value."""

    exit_code = 3


class DefinitionError(PipelineError):
    """The pipeline definition can't be compiled from the given settings."""

    exit_code = 4


class DeploymentError(PipelineError):
    """A resource could not be planned, created, changed or removed."""

    exit_code = 5


class TooSlowError(DeploymentError):
    """A resource was not ready in time; what AWS has begun goes on."""


class ExecutionError(PipelineError):
    """A pipeline execution could not be started, found, watched or stopped, or it ended other than ``Succeeded``."""

    exit_code = 6


class DeclarationError(PipelineError):
    """The declaration of a data set is wrong; each line of the message has file, line, field and what is allowed."""

    exit_code = 7

    def __init__(self, message: str, hint: str | None = None, problems: Sequence[Any] = ()) -> None:
        super().__init__(message, hint)
        self.problems = tuple(problems)


class InputFileError(PipelineError):
    """A local file named on the command line is missing or unreadable."""

    exit_code = 7


class OutputFileError(PipelineError):
    """A local file named on the command line can't be written."""

    exit_code = 7


class LocalEndpointUnavailableError(PipelineError):
    """The local AWS endpoint could not be started, asked or stopped."""

    exit_code = 8


class RegistryError(PipelineError):
    """A registered version of the model could not be found, read, approved or rejected."""

    exit_code = 9


class RecoveryError(PipelineError):
    """A backup could not be made, read or restored."""

    exit_code = 10
