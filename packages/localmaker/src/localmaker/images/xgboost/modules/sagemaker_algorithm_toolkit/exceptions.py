"""The errors of the algorithm, under the names that AWS's container has for them."""

from __future__ import annotations


class UserError(Exception):
    """The request or its data are wrong: a hyperparameter, a channel, the content of a file."""


class AlgorithmError(Exception):
    """The training itself failed."""
