"""What can go wrong in the local AWS endpoint.

::

    LocalEndpointError           base of all: catch it to report any failure of the local endpoint
    ├── AwsError                 an operation refuses a request; the client receives it as AWS would send it
    ├── EndpointNotRunningError  a command needs a running endpoint and there is none
    ├── EndpointStartError       the endpoint did not come up; the message holds the end of its log
    ├── PortInUseError           another process listens on the port
    ├── StateInUseError          another endpoint already uses the state directory
    ├── UnsafeStateError         other users can change the files that the endpoint trusts
    ├── StateUnavailableError    the state directory's files cannot be read or written now, as with a full disk
    ├── NotLoopbackError         something other than the loopback interface was asked for
    └── MotoVersionError         moto is not the version whose internals the endpoint extends
"""

from __future__ import annotations


class LocalEndpointError(Exception):
    """Base of every failure of the local AWS endpoint. The message names the next step."""


class AwsError(LocalEndpointError):
    """A request is refused. Raise it in an operation; the gateway serialises it as AWS does.

    Args:
        code: AWS's error code, as botocore shows it (``ValidationException``, ``ResourceNotFound``).
        message: AWS's message, without the code.
        status: HTTP status. 4xx is not retried by botocore (but for throttling codes); 5xx is.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class EndpointNotRunningError(LocalEndpointError):
    """A command needs a running endpoint and there is none."""


class EndpointStartError(LocalEndpointError):
    """The endpoint process ended, or did not answer in time, while it was starting."""


class PortInUseError(LocalEndpointError):
    """Another process listens on the port that was asked for."""


class StateInUseError(LocalEndpointError):
    """Another endpoint process holds the state directory."""


class UnsafeStateError(LocalEndpointError):
    """The state directory's files can be changed by others, and reading them would run what they say."""


class StateUnavailableError(LocalEndpointError):
    """The state directory's files cannot be read or written now, and may be good: nothing is set aside."""


class NotLoopbackError(LocalEndpointError):
    """An address other than the loopback interface was asked for: the endpoint has no authentication."""


class MotoVersionError(LocalEndpointError):
    """The installed moto lacks an internal that the endpoint extends; install the version of the lock file."""
