"""All errors that a script raises on purpose, with their exit codes.

::

    BikeshareError                (pipeline.errors) message, hint and exit code; printed without a traceback
    └── ScriptError         1     an argument, a local file or a download is wrong; the message says which
        ├── ModelSourceError   9  the model that was asked for does not exist or can't be used
        ├── ExportRefusedError 10  an export is damaged, has no checksum, or holds more than data: it was not loaded
        └── RegistrationError  11  the model registry or the Feature Store refused something

A data file that can't be used raises ``InputError`` of ``steps/analysis/runtime/errors.py`` (exit code 1).
"""

from __future__ import annotations

from pipeline.errors import BikeshareError


class ScriptError(BikeshareError):
    """An argument, a local file or a download is wrong."""


class ModelSourceError(ScriptError):
    """The model that was asked for does not exist or can't be used."""

    exit_code = 9


class ExportRefusedError(ScriptError):
    """An export was not loaded: its checksum or its content is not what this project writes."""

    exit_code = 10


class RegistrationError(ScriptError):
    """The model registry or the Feature Store refused a request."""

    exit_code = 11
