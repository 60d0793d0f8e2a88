"""Questions to an account and their answers; one that fails is an answer, too, and stops no other."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import PipelineError

#: Few enough that Service Quotas and IAM, which allow the fewest calls a second, do not refuse them.
_AT_ONCE = 6
_DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
_ACTION = re.compile(r"perform: ([\w-]+:\w+)")


class Verdict(StrEnum):
    """What an answer means for a deployment."""

    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "could not tell"


@dataclass(frozen=True)
class Answer:
    """One line of the report: what was looked at, how it is, and what to do about it."""

    verdict: Verdict
    about: str
    detail: str
    fix: str = ""
    area: str = ""  #: That of its question, such as ``quota``.


@dataclass(frozen=True)
class Question:
    """Something to find out about an account."""

    area: str
    about: str
    ask: Callable[[], Iterable[Answer]]

    def answers(self) -> Iterator[Answer]:
        """Ask, and turn an error into the last answer."""
        try:
            for answer in self.ask():
                yield replace(answer, area=self.area)
        except ClientError as error:
            yield Answer(Verdict.UNKNOWN, self.about, *refusal(error), area=self.area)
        except BotoCoreError as error:
            yield Answer(Verdict.UNKNOWN, self.about, str(error), area=self.area)
        except PipelineError as error:
            yield Answer(Verdict.PROBLEM, self.about, error.message, error.hint or "", area=self.area)


def refusal(error: ClientError) -> tuple[str, str]:
    """Return AWS's code, and the permission that is missing where it is about one."""
    code, message = (str(error.response.get("Error", {}).get(member)) for member in ("Code", "Message"))
    if code not in _DENIED:
        return f"{error.operation_name}: {code}: {message}", ""
    found = _ACTION.search(message)
    return code, f"Allow {found[1] if found else error.operation_name}, and ask again."


def answered(questions: Sequence[Question]) -> list[Answer]:
    """Ask several questions at a time; return the answers in the questions' order."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [answer for answers in pool.map(lambda one: list(one.answers()), questions) for answer in answers]


def lines(answers: Sequence[Answer]) -> list[str]:
    """Write answers as text: a line each, and below it what to do."""
    found: list[str] = []
    for answer in answers:
        found.append(f"{answer.verdict:<15} {answer.area:<11} {answer.about}: {answer.detail}")
        found += [f"{'':<15} → {answer.fix}"] if answer.fix else []
    counts = Counter(answer.verdict for answer in answers)
    return [*found, ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)]


def as_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """Write answers for scripts."""
    return {"ok": not has_problem(answers), "answers": [asdict(answer) for answer in answers]}


def has_problem(answers: Iterable[Answer]) -> bool:
    """Say whether something has to be done before a deployment."""
    return any(answer.verdict is Verdict.PROBLEM for answer in answers)
