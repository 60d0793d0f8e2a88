"""Two versions side by side: what they are of, their metrics, their coefficients."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import Aws
from pipeline.results.model_files import read_evaluation, read_model
from pipeline.results.registry import ModelVersion

if TYPE_CHECKING:
    from analysis.model.artefact import LinearModel

INTERCEPT = "intercept"
#: What versions are of, beside profile, status and data: customer metadata → name for readers.
_ORIGINS = {
    "code-sha256": "code",
    "declaration-sha256": "declaration",
    "git-commit": "git commit",
    "train-on": "trained on",
    "scores-new-rows": "scores new rows",
}
#: Of each block of metrics in evaluation.json, in their order: key → name for readers.
_METRICS = {"r2": "R-squared", "adjusted_r2": "adjusted R-squared", "rmse": "RMSE", "mae": "MAE", "mape": "MAPE, %"}
_FIGURES = {"chronological": "to come", "rolling": "rolling origin"}


@dataclass(frozen=True)
class Side:
    """One of the two versions, with what is kept of it."""

    version: ModelVersion
    model: "LinearModel"
    evaluation: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """A value of both sides, None where one does not have it; numbers with their difference, right less left."""

    name: str
    left: Any
    right: Any
    difference: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What the two versions are of, and how they differ."""

    left: int
    right: int
    about: list[Row]
    metrics: list[Row]
    coefficients: list[Row]  #: In the target's unit for one unit of the column, whatever a version scaled it by.
    challenge: dict[str, Any] | None  #: Block ``previous_model`` of the one that was measured against the other.

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self)


def side_of(aws: Aws, version: ModelVersion) -> Side:
    """Read what is kept of a version.

    Raises:
        RegistryError: its archive can't be read.
    """
    return Side(version, read_model(aws, version), read_evaluation(aws, version))


def compare(left: Side, right: Side) -> Comparison:
    """Set two versions side by side."""
    return Comparison(
        left=left.version.version,
        right=right.version.version,
        about=_paired(_about(left), _about(right)),
        metrics=_paired(dict(_metrics(left.evaluation)), dict(_metrics(right.evaluation))),
        coefficients=_paired(coefficients(left.model), coefficients(right.model)),
        challenge=_challenge(left, right) or _challenge(right, left),
    )


def data_sha256(version: ModelVersion, evaluation: Mapping[str, Any]) -> str:
    """Return the checksum of the file that a version was trained on, "" where it is not known."""
    return version.properties.get("data-sha256") or str((evaluation.get("data") or {}).get("sha256") or "")


def coefficients(model: "LinearModel") -> dict[str, float]:
    """Return the change of the prediction for one unit of each column, which does not depend on the scaler's bounds."""
    found = {INTERCEPT: model.intercept}
    for name, coefficient in zip(model.selected, model.coefficients, strict=True):
        bounds = model.bounds.get(name)
        found[name] = coefficient if bounds is None else coefficient / bounds.width
        found[INTERCEPT] -= 0.0 if bounds is None else coefficient * bounds.minimum / bounds.width
    return found


def _paired(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Row]:
    rows = []
    for name in dict.fromkeys([*left, *right]):
        one: Any = left.get(name)
        other: Any = right.get(name)
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        rows.append(Row(name, one, other, float(other) - float(one) if numbers else None))
    return rows


def _about(side: Side) -> dict[str, str]:
    version, data = side.version, side.evaluation.get("data") or {}
    found = {
        "profile": version.profile,
        "status": "in use" if version.in_use else version.approval,
        "registered": f"{version.created:%Y-%m-%d %H:%M}",
        "file": str(data.get("file") or side.model.provenance.get("data_file") or ""),
        "data": data_sha256(version, side.evaluation) or str(side.model.provenance.get("data_sha256") or ""),
        **{title: version.properties.get(name, "") for name, title in _ORIGINS.items()},
    }
    return {name: value for name, value in found.items() if value}


def _metrics(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    blocks = {"test rows": evaluation.get("test") or {}}
    blocks |= {title: (evaluation.get("validation") or {}).get(name) or {} for name, title in _FIGURES.items()}
    for title, block in blocks.items():
        for key, name in _METRICS.items():
            if block.get(key) is not None:
                yield f"{name}, {title}", block[key]


def _challenge(champion: Side, challenger: Side) -> dict[str, Any] | None:
    block: dict[str, Any] = challenger.evaluation.get("previous_model") or {}
    was_it = block.get("model_package_arn") == champion.version.arn and block.get("verdict")
    return {**block, "challenger": challenger.version.version} if was_it else None
