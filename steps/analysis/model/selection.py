"""What is repeated on whatever rows a model is fitted to: scaling and the choice of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.features.profiles import Profile
from analysis.model.factor import Factor
from analysis.model.regression import Regression, determined, eliminated, regression, scaling
from analysis.runtime.errors import TrainingError


@dataclass(frozen=True)
class Procedure:
    """How columns become regressors; all of it is learned on training rows only.

    scaled: columns that are min-max scaled with bounds learned on those rows.
    kept: how many columns recursive feature elimination keeps (all candidates where there are fewer); None for no
        elimination, and then no column is left out because the data preparation removes it.
    removed: columns that the data preparation removes, with the reason.
    """

    scaled: tuple[str, ...] = ()
    kept: int | None = None
    removed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """Which columns a factor's rows and a procedure choose, by their positions.

    excluded: columns that are no candidates, with the reason. ranking: the elimination's rank of each candidate
    (1 = selected), in the order of the columns; all 1 where none was eliminated.
    """

    names: tuple[str, ...]
    candidates: tuple[int, ...]
    selected: tuple[int, ...]
    excluded: dict[str, str]
    ranking: dict[str, int]

    def regression(self, factor: Factor, procedure: Procedure, positions: Sequence[int] | None = None) -> Regression:
        """Regress the target on the selected columns, or on those at `positions`."""
        chosen = self.selected if positions is None else positions
        return regression(factor, self.names, chosen, frozenset(procedure.scaled))


def procedure_of(profile: Profile, feature_count: int, removed: Mapping[str, str] | None = None) -> Procedure:
    """Return the procedure of a profile; feature_count is for profiles that select."""
    return Procedure(profile.scaled, feature_count if profile.selects else None, removed or {})


def choose(factor: Factor, names: Sequence[str], procedure: Procedure) -> Choice:
    """Choose among the columns of a factor; names: of all of them, the target last.

    Columns that never change, and those that the columns before them determine, are no candidates: they have no
    coefficient of their own. Raises TrainingError where no column or no degree of freedom is left, and where
    elimination can't keep as many as it is to.
    """
    columns = range(len(names) - 1)
    if procedure.kept is not None and not 1 <= procedure.kept <= len(columns):
        raise TrainingError(f"--feature-count {procedure.kept} is outside 1 to {len(columns)}, the number of columns.")
    removed = {} if procedure.kept is None else procedure.removed
    reasons = {names[position]: removed[names[position]] for position in columns if names[position] in removed}
    for position in columns:
        if factor.low[position] == factor.high[position]:
            reasons.setdefault(names[position], "it never changes in the training rows")
    changing = [position for position in columns if names[position] not in reasons]
    count = min(len(changing), procedure.kept or len(changing))
    if factor.rows <= count + 1:
        raise TrainingError(
            f"{factor.rows} training rows can't determine {count} coefficients and an intercept. "
            "Train on more rows, or lower --feature-count."
        )
    reasons |= determined(factor, names, changing)
    candidates = [position for position in changing if names[position] not in reasons]
    if not candidates:
        raise TrainingError("No input column is left to learn from: each one is constant or was removed.")
    gone = eliminated(factor, candidates, scaling(factor, names, candidates, set(procedure.scaled))[1], count)
    selected = [position for position in candidates if position not in gone]
    ranks = {position: rank for rank, position in enumerate(reversed(gone), 2)}
    return Choice(
        names=tuple(names),
        candidates=tuple(candidates),
        selected=tuple(selected),
        excluded={name: reasons[name] for name in names if name in reasons},
        ranking={names[position]: ranks.get(position, 1) for position in candidates},
    )
