"""The declarations that come with the project, and the standards for model cards."""

from functools import cache
from pathlib import Path

from analysis.dataset.declaration import Dataset
from analysis.dataset.reading import read_dataset


def _folder(name: str) -> Path:
    """Return a folder of the project: beside the package in a checkout, inside it in a wheel."""
    packaged = Path(__file__).parents[1] / f"_{name}"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / name


DATASETS_FOLDER, STANDARDS_FOLDER = _folder("datasets"), _folder("standards")
DEFAULT_DATASET = "bike_sharing"


def dataset_names() -> list[str]:
    """Return the declarations that there are."""
    return sorted(path.stem for path in DATASETS_FOLDER.glob("*.toml"))


def declaration_file(name: str) -> Path:
    """Return the file of a declaration, which need not exist: one of ``datasets/``, or a path to another."""
    return Path(name) if name.endswith(".toml") else DATASETS_FOLDER / f"{name}.toml"


def standard_names() -> list[str]:
    """Return the standards for model cards that there are."""
    return sorted(path.stem for path in STANDARDS_FOLDER.glob("*.toml"))


def standard_file(name: str) -> Path:
    """Return the file of a standard, which need not exist: one of ``standards/``, or a path to another."""
    return Path(name) if name.endswith(".toml") else STANDARDS_FOLDER / f"{name}.toml"


@cache
def declared(name: str) -> Dataset:
    """Return a declaration by the name of its file, or its path."""
    return read_dataset(declaration_file(name))
