"""The states of a feature group, and waiting for one of them."""

from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.aws.states import Found, Waiting, wait_until_ended
from pipeline.errors import DeploymentError

CREATED, CREATE_FAILED, DELETING, UPDATING, GONE = "Created", "CreateFailed", "Deleting", "Updating", "Gone"
UNDER_WAY = ("Creating", UPDATING, DELETING)


def status_of(described: Any) -> str:
    """Return ``Creating``, ``Created``, ``Updating`` …."""
    if described.get("LastUpdateStatus", {}).get("Status") == "InProgress":
        return UPDATING
    return str(described.get("FeatureGroupStatus", CREATED))


def wait_for_group(name: str, aws: Aws, waiting: Waiting, *, until_gone: bool = False) -> None:
    """Wait until nothing is under way any more.

    Raises:
        TooSlowError: it still is after that time.
        DeploymentError: it ended in another state than ``Created``, or gone.
    """

    def look() -> Found:
        found: Any = unless_missing(lambda: aws.sagemaker.describe_feature_group(FeatureGroupName=name))
        if found is None:
            return Found(GONE)
        update = found.get("LastUpdateStatus", {})
        failed = update.get("FailureReason", "") if update.get("Status") == "Failed" else ""
        return Found(status_of(found), failed or found.get("FailureReason", ""))

    ended = wait_until_ended(f"Feature group {name}", look, UNDER_WAY, waiting)
    if ended.state != (GONE if until_gone else CREATED):
        raise DeploymentError(
            f"Feature group {name} is {ended.state}: {ended.reason or 'AWS gives no reason'}",
            hint="Fix that, then run the same command again: it is recreated.",
        )
