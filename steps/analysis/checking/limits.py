"""The limits of the quality check, with their command-line options."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field, fields
from typing import Any

from analysis.runtime.errors import SettingsError


def _limit(default: float, option: str, description: str) -> Any:
    return field(default=default, metadata={"option": option, "help": description})


@dataclass(frozen=True)
class QualityLimits:
    """Rows that may be repaired (and counted) before the file is refused, 0 refuses the first; and other thresholds."""

    duplicate_rows: int = _limit(0, "--max-duplicate-rows", "rows equal to an earlier one; the first is kept")
    duplicate_keys: int = _limit(0, "--max-duplicate-keys", "further rows of a key; the first is kept")
    missing_rows: int = _limit(0, "--max-missing-rows", "rows without a required value; they are dropped")
    invalid_rows: int = _limit(0, "--max-invalid-rows", "rows outside their domain or range; they are dropped")
    unequal_sums: int = _limit(
        0, "--max-unequal-sums", "rows where the target is not the sum of its parts; they are kept"
    )
    minimum_training_rows: int = _limit(60, "--minimum-training-rows", "fewer rows are refused")
    correlation: float = _limit(1.0 - 1e-12, "--perfect-correlation", "correlation of inputs that repeat each other")
    constant_share: float = _limit(1.0, "--constant-share", "share of one value from which an input is constant")
    scale_rows: int = _limit(60, "--scale-rows", "values from which a column can be told to be on another scale")
    scale_share: float = _limit(0.95, "--scale-share", "share of a column's values that tells another scale")
    outside_share: float = _limit(0.0, "--outside-share", "share outside the training rows' range that is a finding")
    outside_width: float = _limit(1.0, "--outside-width", "widths of that range from which a column beyond is refused")

    def __post_init__(self) -> None:
        for name in ("correlation", "constant_share", "scale_share"):
            value = getattr(self, name)
            if not 0.0 < value <= 1.0:
                raise SettingsError(f"The quality limit {name} is {value}; use more than 0 and at most 1.")


def add_limits(parser: ArgumentParser) -> None:
    """Add an option for each limit."""
    for limit in fields(QualityLimits):
        option, description = limit.metadata["option"], limit.metadata["help"]
        kind = int if limit.type == "int" else float
        parser.add_argument(option, dest=limit.name, type=kind, default=limit.default, help=description)


def limits_of(request: Namespace) -> QualityLimits:
    """Return the limits that the parsed options give."""
    return QualityLimits(**{limit.name: getattr(request, limit.name) for limit in fields(QualityLimits)})
