"""Every error that a script raises on purpose, with its exit code.

::

    BikeshareError                (pipeline.errors) message, hint and exit code; printed without a traceback
    └── ScriptError         1     an argument, a local file or a download is wrong; the message says which
        ├── ModelSourceError   9  no usable model where one was asked for
        ├── ExportRefusedError 10  an export is damaged, has no checksum, or is more than data: it was not loaded
        └── RegistrationError  11  the model registry or the Feature Store did not take something

A data file that can't be used is an ``InputError`` of ``steps/analysis/errors.py`` (exit code 1).
"""

from __future__ import annotations

from pipeline.errors import BikeshareError


class ScriptError(BikeshareError):
    """An argument, a local file or a download is wrong."""


class ModelSourceError(ScriptError):
    """There is no usable model where one was asked for."""

    exit_code = 9


class ExportRefusedError(ScriptError):
    """An export was not loaded: its checksum or its content is not what this project writes."""

    exit_code = 10


class RegistrationError(ScriptError):
    """The model registry or the Feature Store did not take what it was given."""

    exit_code = 11
