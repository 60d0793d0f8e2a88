"""Why a query fails."""

from __future__ import annotations

from localmaker.errors import LocalmakerError

#: AWS's categories of errors ("AthenaError" in the API reference).
SYSTEM, USER = 1, 2


class QueryFailedError(LocalmakerError):
    """A query fails.

    Args:
        reason: StateChangeReason.
        category: whose fault it is.
    """

    def __init__(self, reason: str, category: int = USER) -> None:
        super().__init__(reason)
        self.category = category


def not_covered(what: str) -> QueryFailedError:
    """Return the failure of a query that Athena runs, and the local endpoint does not."""
    return QueryFailedError(f"NOT_SUPPORTED: the local endpoint does not cover {what}; Athena does")


def function_not_found(name: str) -> QueryFailedError:
    """Return the failure of a query with a function that is unknown."""
    text = f"Function '{name}' not registered, or not covered by the local endpoint"
    return QueryFailedError(f"FUNCTION_NOT_FOUND: {text}")
