"""Decide which version scores: approve, roll back, reject and delete.

A decision is one request, so that whoever looks meanwhile finds the version of before or the one of afterwards. It may
be repeated where its answer was lost. After it the registry is read again: somebody else may have decided, too.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from tenacity import retry_if_result

from analysis.runtime.registry import (
    DECIDED_BY,
    IN_USE_SINCE,
    ROLLED_BACK_FROM,
    SCORES_NEW_ROWS,
    Package,
    can_be_used,
    in_use,
    metadata,
    moment,
    never_known,
    put_in_use,
    scores_new_rows,
    scores_new_rows_in_words,
)
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.errors import RegistryError
from pipeline.results.model_files import columns_never_known
from pipeline.results.registry import ModelVersion, list_command, numbered, packages_of, versions_of

NO_REASON = "No reason was given."
"""An empty text would leave the reason of the decision before."""
_LONGEST_REASON, _LONGEST_VALUE = 1024, 256
#: What customer metadata can't hold.
_OTHER = re.compile(r"[^\w .:/=+@-]")
_LONGEST_LAG = 10
"""Seconds until AWS shows what it has taken."""
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Removal:
    """What follows where a version is rejected or deleted."""

    version: ModelVersion
    successor: ModelVersion | None  #: What scores then; None where nothing does. The same where it is not in use.

    @property
    def question(self) -> str:
        """Say what scores instead; "" where the version is not in use, so that nothing changes."""
        if not self.version.in_use:
            return ""
        then = "nothing scores: files to score fail until a version is approved"
        if self.successor is not None:
            then = f"version {self.successor.version} (profile {self.successor.profile}) scores"
        return f"Version {self.version.version} is in use. Without it, {then}."


def approve(aws: Aws, group: str, number: int, reason: str = "") -> ModelVersion:
    """Approve a version and put it in use.

    Raises:
        RegistryError: there is no such version, it can't score new files, or somebody else decided at the same time.
    """
    packages = packages_of(aws, group)
    version = numbered(versions_of(packages), number, aws, group)
    package = _described(packages, number)
    known = {}
    if SCORES_NEW_ROWS not in version.properties:
        known = {SCORES_NEW_ROWS: scores_new_rows_in_words(columns_never_known(aws, version))}
        package = {**package, "CustomerMetadataProperties": {**metadata(package), **known}}
    if not scores_new_rows(package):
        columns = " and ".join(never_known(package)) or "columns"
        raise RegistryError(
            f"Version {number} of {group} (profile {version.profile}) can't be put in use: it takes {columns}. "
            "Such inputs are never known in advance, so it can score no new file.",
            f"Approve a version of another profile; list them: {list_command(aws, group)}",
        )
    return _put_in_use(aws, group, package, packages, reason, remove=[ROLLED_BACK_FROM], also=known)


def roll_back(aws: Aws, group: str, reason: str = "") -> tuple[ModelVersion, ModelVersion]:
    """Put the version in use again that was in use before; return it, and the one that was in use until now.

    Raises:
        RegistryError: there is none, or somebody else decided at the same time.
    """
    packages = packages_of(aws, group)
    current, earlier = in_use(packages), before(packages)
    if current is None or earlier is None:
        what = "No version" if current is None else f"Version {current.get('ModelPackageVersion')}"
        raise RegistryError(
            f"{what} of {group} is in use{'' if current is None else ', and there is none before it to go back to'}.",
            f"Approve the version that is to score; list them: {list_command(aws, group)}",
        )
    left = numbers_rolled_back_from(packages, current, earlier)
    version = _put_in_use(aws, group, earlier, packages, reason, also={ROLLED_BACK_FROM: left})
    return version, numbered(versions_of(packages), current["ModelPackageVersion"], aws, group)


def consequence(aws: Aws, group: str, number: int) -> Removal:
    """Return what scores where a version is rejected or deleted; raises RegistryError for one that is not there."""
    packages = packages_of(aws, group)
    version = numbered(versions_of(packages), number, aws, group)
    others = versions_of([package for package in packages if package.get("ModelPackageVersion") != number])
    return Removal(version, next((other for other in others if other.in_use), None))


def reject(aws: Aws, group: str, number: int, reason: str) -> ModelVersion:
    """Reject a version: nothing is scored with it from now on.

    Raises:
        RegistryError: there is no such version.
    """
    packages = packages_of(aws, group)
    numbered(versions_of(packages), number, aws, group)
    package = _described(packages, number)
    by, _ = _who_and_when(aws)
    gone = [name for name in (IN_USE_SINCE, ROLLED_BACK_FROM) if name in metadata(package)]
    with aws_errors(f"Rejecting version {number} of {group}", aws, RegistryError):
        aws.sagemaker.update_model_package(
            ModelPackageArn=package["ModelPackageArn"],
            ModelApprovalStatus="Rejected",
            ApprovalDescription=reason_line(reason),
            CustomerMetadataProperties={DECIDED_BY: by},
            **({"CustomerMetadataPropertiesToRemove": gone} if gone else {}),  # type: ignore[arg-type]
        )
    known = _once_it_shows(aws, group, number, lambda shown: shown.get("ModelApprovalStatus") == "Rejected")
    return numbered(versions_of(known), number, aws, group)


def delete(aws: Aws, version: ModelVersion) -> None:
    """Delete a version; that it is gone already is no error."""
    with aws_errors(f"Deleting version {version.version}", aws, RegistryError):
        unless_missing(lambda: aws.sagemaker.delete_model_package(ModelPackageName=version.arn))


def before(packages: Iterable[Package]) -> Package | None:
    """Return the version that was in use before the one that is, and can be used; None where there is none.

    Not one that was rolled back from to get to the one in use: a second rollback goes further back.
    """
    found = list(packages)
    current = in_use(found)
    if current is None:
        return None
    left = {current.get("ModelPackageVersion"), *map(int, _rolled_back_from(current))}
    return in_use(package for package in found if package.get("ModelPackageVersion") not in left)


def numbers_rolled_back_from(packages: Iterable[Package], current: Package, earlier: Package) -> str:
    """Return the metadata `rolled-back-from` of the version that is gone back to.

    The numbers that the rollbacks before went away from count as well, as long as these versions could be used.
    """
    left = {str(current["ModelPackageVersion"]), *_rolled_back_from(current), *_rolled_back_from(earlier)}
    usable = sorted(filter(can_be_used, packages), key=put_in_use, reverse=True)
    numbers = [str(package.get("ModelPackageVersion")) for package in usable]
    text = " ".join(number for number in numbers if number in left and number != str(earlier["ModelPackageVersion"]))
    # Of very many, those that were in use last.
    return text if len(text) <= _LONGEST_VALUE else text[: text.rindex(" ", 0, _LONGEST_VALUE + 1)]


def next_moment(packages: Iterable[Package], now: datetime) -> str:
    """Return the moment of a new decision: now, or later where an earlier decision is of a clock that is ahead."""
    decided = [
        put_in_use(package)[0]
        for package in packages
        if IN_USE_SINCE in metadata(package) or package.get("ModelApprovalStatus") == "Approved"
    ]
    latest = max((_whole(moment) + _MILLISECOND for moment in decided), default=now)
    return moment(max(_whole(now), latest))


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _put_in_use(
    aws: Aws,
    group: str,
    package: Package,
    packages: Sequence[Package],
    reason: str,
    *,
    remove: Sequence[str] = (),
    also: dict[str, str],
) -> ModelVersion:
    number = package["ModelPackageVersion"]
    by, now = _who_and_when(aws)
    moment = next_moment(packages, now)
    gone = [name for name in remove if name in metadata(package)]
    with aws_errors(f"Putting version {number} of {group} in use", aws, RegistryError):
        aws.sagemaker.update_model_package(
            ModelPackageArn=package["ModelPackageArn"],
            ModelApprovalStatus="Approved",
            ApprovalDescription=reason_line(reason),
            CustomerMetadataProperties={IN_USE_SINCE: moment, DECIDED_BY: by, **also},
            **({"CustomerMetadataPropertiesToRemove": gone} if gone else {}),  # type: ignore[arg-type]
        )
    known = _once_it_shows(aws, group, number, lambda shown: metadata(shown).get(IN_USE_SINCE, "") >= moment)
    found = versions_of(known)
    version = numbered(found, number, aws, group)
    if not version.in_use:
        other = next((one for one in found if one.in_use), None)
        instead = "no version is" if other is None else f"version {other.version} is, by {other.decided_by or 'others'}"
        raise RegistryError(
            f"Somebody else decided at the same time: version {number} is {version.approval}, not in use; {instead}.",
            f"Look, and decide again: {list_command(aws, group)}",
        )
    return version


def _once_it_shows(aws: Aws, group: str, number: int, shows: Callable[[Package], bool]) -> Sequence[Package]:
    """Describe the versions of a group once one of them shows what was written; as they are where it does not."""

    def lags(packages: Sequence[Package]) -> bool:
        return not all(shows(package) for package in packages if package.get("ModelPackageVersion") == number)

    looking = aws.pace.repeat(
        retry_if_result(lags),
        min(aws.pace.settling, _LONGEST_LAG),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    found: Sequence[Package] = looking(packages_of, aws, group)
    return found


def _described(packages: Sequence[Package], number: int) -> Package:
    return next(package for package in packages if package.get("ModelPackageVersion") == number)


def _rolled_back_from(package: Package) -> list[str]:
    return [number for number in metadata(package).get(ROLLED_BACK_FROM, "").split() if number.isdecimal()]


def _who_and_when(aws: Aws) -> tuple[str, datetime]:
    """Return the caller's ARN, and the time of AWS's clock, which is the one that other clients' approvals have."""
    with aws_errors("Asking who decides", aws, RegistryError):
        answer: Any = aws.sts.get_caller_identity()
    sent = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    now = parsedate_to_datetime(sent) if sent else datetime.now(UTC)
    return _OTHER.sub("_", answer["Arn"])[:_LONGEST_VALUE], now


def reason_line(text: str) -> str:
    """Return a reason as AWS takes it: one line.

    Raises:
        RegistryError: it is longer than AWS takes.
    """
    line = " ".join(text.split()) or NO_REASON
    if len(line) > _LONGEST_REASON:
        raise RegistryError(
            f"The reason has {len(line):,} characters, and AWS keeps {_LONGEST_REASON:,}. Nothing was changed.",
            "Shorten it.",
        )
    return line
