"""What can go wrong in the local AWS endpoint.

::

    LocalmakerError           base of all: catch it to report any failure of the local endpoint
    ├── EndpointNotRunningError  a command needs a running endpoint and there is none
    ├── EndpointStartError       the endpoint did not come up; the message holds the end of its log
    ├── PortInUseError           another process listens on the port
    ├── StateInUseError          another endpoint already uses the state directory
    ├── UnsafeStateError         other users can change the files that the endpoint trusts
    ├── StateUnavailableError    the state directory's files cannot be read or written now, as with a full disk
    ├── NoRoomError              a change could not be stored, as on a full disk, and was undone
    ├── NotLoopbackError         something other than the loopback interface was asked for
    └── MotoVersionError         moto is not the version whose internals the endpoint extends

An operation refuses a request with :class:`pipedef.errors.AwsError`, which the client receives as AWS would send it. It
is the language's own error, so that the gateway treats a refused definition like any other refused request.
"""

from __future__ import annotations

from pipedef.errors import AwsError as AwsError  # noqa: PLC0414 - handlers raise it, the gateway serialises it


class LocalmakerError(Exception):
    """Base of every failure of the local AWS endpoint. The message names the next step."""


class EndpointNotRunningError(LocalmakerError):
    """A command needs a running endpoint and there is none."""


class EndpointStartError(LocalmakerError):
    """The endpoint process ended, or did not answer in time, while it was starting."""


class PortInUseError(LocalmakerError):
    """Another process listens on the port that was asked for."""


class StateInUseError(LocalmakerError):
    """Another endpoint process holds the state directory."""


class UnsafeStateError(LocalmakerError):
    """Other users can change the state directory's files, and reading them would run their code."""


class StateUnavailableError(LocalmakerError):
    """The state directory's files cannot be read or written now; they may be intact, so nothing is set aside."""


class NoRoomError(LocalmakerError):
    """A change could not be stored, as on a full disk, and was undone."""


class NotLoopbackError(LocalmakerError):
    """An address other than the loopback interface was asked for: the endpoint has no authentication."""


class MotoVersionError(LocalmakerError):
    """The installed moto differs from the tested one in a place that the endpoint replaces or relies on."""
