"""The contract with AWS Lambda: a step's script as a function, its options as the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from analysis.runtime.container import Arguments

Outputs = dict[str, str]
Handler = Callable[[Mapping[str, Any], Any], Outputs]
ABSENT = "none"
"""Value of an output that there is nothing to say for; Pipelines has no null, and takes no empty text everywhere."""
_LONGEST_REASON = 512
"""Characters; Pipelines keeps 1,024 of an output parameter's value (OutputParameter in the API reference)."""
_MARGIN_SECONDS = 10
_ALONE_SECONDS = 300


def as_function(step: Callable[[Sequence[str]], Outputs]) -> Handler:
    """Return the handler of a Lambda function that runs a step: the event's members are the step's options.

    AWS calls are repeated until shortly before the function's time is up, so that their last error is what is reported.
    """

    def handler(event: Mapping[str, Any], context: Any) -> Outputs:
        seconds = max(context.get_remaining_time_in_millis() // 1000 - _MARGIN_SECONDS, 1)
        # The log of a function holds calls of many executions.
        if "execution-arn" in event:
            print(f"for {event['execution-arn']}")
        return step([*options(event), f"--retry-seconds={seconds}"])

    return handler


def options(event: Mapping[str, Any]) -> list[str]:
    """Return an event's members as words of a command line; a list is an option that is given several times."""
    pairs = [(name, item) for name, value in event.items() for item in (value if isinstance(value, list) else [value])]
    return [f"--{name}={value}" for name, value in pairs]


class FunctionArguments(Arguments):
    """The options of a step that runs as a function: its own, and how long it has patience with AWS."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description)
        help_text = "seconds for which AWS calls are repeated while AWS is busy"
        self.add_argument("--retry-seconds", type=int, default=_ALONE_SECONDS, help=help_text)


def outputs_of(reason: str, **values: str | None) -> Outputs:
    """Return a step's output parameters; each has a text, "none" where there is nothing to say."""
    return {"reason": reason[:_LONGEST_REASON], **{name: value or ABSENT for name, value in values.items()}}
