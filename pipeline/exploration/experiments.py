"""A profile tried out on this machine, by the very programs that run in the pipeline's jobs."""

import json
import tarfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.features.profiles import Profile, Variant, profile_of
from analysis.model.archive import Archive, read_archive
from pipeline.datasets.shipped import declaration_file, standard_file
from pipeline.definition.bundle import bundle_of
from pipeline.exploration.session import Session
from pipeline.settings.sections import FirstLevels, Measures
from pipeline.step_code import STEPS_FOLDER

if TYPE_CHECKING:
    import pandas as pd

_QUANTILES = 4


@dataclass(frozen=True)
class Experiment:
    """What preprocess.py, train.py and evaluate.py have written for one profile, as the pipeline's jobs do."""

    name: str
    folder: Path
    profile: Profile

    @property
    def model_file(self) -> Path:
        """The archive, as a training job leaves it."""
        return self.folder / "model.tar.gz"

    @cached_property
    def archive(self) -> Archive:
        """Model and summary of the fit."""
        return read_archive(self.model_file)

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """Content of evaluation.json."""
        return _json(self.folder / "evaluation" / "evaluation.json")

    @cached_property
    def quality(self) -> dict[str, Any]:
        """Content of quality.json."""
        return _json(self.folder / "prepared" / "quality" / "quality.json")

    @property
    def summary(self) -> dict[str, Any]:
        """Every figure of the fit, as summary.json has them."""
        return self.archive.summary

    def first_fit(self) -> str:
        """Return the summary of a fit on every column, before any is eliminated."""
        from analysis.features.prepared import removed_model_columns
        from analysis.model.fitting import fit_linear_model
        from analysis.model.rows import rows_of_frame
        from analysis.model.table import summary_text

        table, target = self.rows("train"), self.archive.model.target
        rows = rows_of_frame(table.drop(columns=target), table[target])
        removed = removed_model_columns(self.quality, self.profile)
        fit = fit_linear_model(rows, self.profile, len(self.profile.columns), {}, removed=removed)
        return summary_text(fit.results, datetime.now().astimezone())

    def rows(self, side: str) -> "pd.DataFrame":
        """Return the model's inputs and the target, unscaled; side: "train" or "test"."""
        import pandas as pd

        return pd.read_parquet(self.folder / "prepared" / side / f"{side}.parquet")


def experiment(
    session: Session,
    profile: str = "",
    *,
    name: str = "",
    declaration: Path | None = None,
    measures: Measures = "declared",
    first_levels: FirstLevels = "declared",
    feature_count: int | None = None,
    train_fraction: float = 0.7,
    random_state: int = 333,
) -> Experiment:
    """Prepare the raw file for a profile, train on it and evaluate the model; changes nothing outside this machine.

    Args:
        session: its raw file is used.
        profile: of the declaration; "" is its first.
        name: what the experiment is called; "" after the profile. The same name replaces an earlier one.
        declaration: instead of the data set's own.
        measures: how numbers enter, as the pipeline's parameter Measures.
        first_levels: whether reference levels get a dummy variable, as the parameter FirstLevels.
        feature_count: columns that elimination keeps, all where there are fewer; None for as many as the profile
            declares.
        train_fraction: share of the rows that is trained on.
        random_state: seed of the split.

    Raises:
        StepError: the file can't be used, or there is nothing to learn; the message says where.
    """
    dataset, file = session.dataset, declaration or declaration_file(session.settings.dataset)
    if declaration is not None:
        from analysis.dataset.reading import read_dataset

        dataset = read_dataset(declaration)
    binned = None if measures == "declared" else measures == "bins"
    kept = None if first_levels == "declared" else first_levels == "keep"
    chosen = profile_of(dataset, profile or next(iter(dataset.profiles)), Variant(first_levels=kept, binned=binned))
    folder = session.folder / (name or chosen.name)
    prepared, model = folder / "prepared", folder / "model"
    common = ["--dataset", str(file), "--message-file", str(folder / "message")]
    folder.mkdir(exist_ok=True)
    options = ["--profile", chosen.name, "--measures", measures, "--first-levels", first_levels]
    split = ["--train-fraction", str(train_fraction), "--random-state", str(random_state)]
    source = ["--input-file", str(session.data), "--output-dir", str(prepared)]
    _run("preprocess", [*common, *source, *options, *split], folder)
    count = [
        "--feature-count",
        str(min(feature_count or 0, len(chosen.columns))),
        "--code-sha256",
        bundle_of(session.settings).sha256,
    ]
    places = ["--train-dir", str(prepared / "train"), "--model-dir", str(model), "--output-data-dir", str(folder)]
    _run("train", [*common, *places, *count], folder)
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(model, arcname=".")
    sides = ("train", "test", "scoring", "rows", "quality")
    places = [part for side in sides for part in (f"--{side}-dir", str(prepared / side))]
    places += ["--model-dir", str(folder), "--output-dir", str(folder / "evaluation")]
    standard = session.settings.registry.card_standard
    facts = ["--environment", session.settings.environment, "--project", session.settings.system]
    facts += [] if standard is None else ["--card-standard", str(standard_file(standard))]
    _run("evaluate", [*common, *places, *facts], folder)
    return Experiment(name or chosen.name, folder, chosen)


def with_bins(session: Session, quantiles: int = _QUANTILES) -> Path:
    """Write the declaration again with bins for each measure that has none, as many as said; return the new file."""
    dataset = session.dataset
    lines = [declaration_file(session.settings.dataset).read_text(encoding="utf-8")]
    for name, column in dataset.columns.items():
        if column.kind == "measure" and column.bins is None and name in dataset.inputs:
            # A key in quotes, whatever the name has in it: JSON's are TOML's.
            lines.append(f"[columns.{json.dumps(name, ensure_ascii=False)}.bins]\nquantiles = {quantiles}\n")
    file = session.folder / "with-bins.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _run(program: str, arguments: Sequence[str], folder: Path) -> None:
    """Run a script of steps/ in this process; what it prints goes to a file beside its results."""
    spec = spec_from_file_location(f"_{program}", STEPS_FOLDER / f"{program}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{STEPS_FOLDER} holds no {program}.py.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    with (folder / f"{program}.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
        module.main(arguments)


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
