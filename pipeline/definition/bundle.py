"""The code of ``steps/`` packed reproducibly and addressed by its content: an archive for jobs, one for functions.

The same files give the same bytes on every machine and at every time: entries sorted, times 0, owner 0, modes
normalised. So the SHA-256 of the archive is the version of the code, the definition changes exactly when the code does,
and step caching works across upserts.
"""

import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from analysis.card.standard import STANDARD_FILE
from analysis.runtime.container import DATASET_FILE
from pipeline.datasets.shipped import DEFAULT_DATASET, declaration_file, standard_file
from pipeline.settings.contract import Function
from pipeline.settings.environment import Settings
from pipeline.step_code import STEPS_FOLDER, Lock

REQUIREMENTS_FILE = STEPS_FOLDER / "requirements.txt"
ARCHIVE_NAME = "sourcedir.tar.gz"
LAUNCHER_NAME = "run.sh"

_SUFFIXES = {".py", ".txt", ".sh", ".html", ".jinja", ".css", ".toml", ".json"}
_EXECUTABLE, _PLAIN = 0o755, 0o644
#: What functions import, beside their own scripts; it needs nothing but boto3.
_OF_FUNCTIONS = (
    *("analysis/__init__.py", "analysis/history/*.py", "analysis/runtime/*.py"),
    *(f"analysis/card/{module}.py" for module in ("__init__", "following", "stand_alone", "texts")),
    *("analysis/publishing/*.py", "analysis/publishing/*.css", "analysis/realised/*.py"),
)
_OLDEST_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """The packed code."""

    sha256: str  #: Of the uncompressed archive and the launcher; 64 hexadecimal digits.
    archive: bytes  #: Gzip-compressed tar with the content of ``steps/`` at its root.
    launcher: bytes  #: ``run.sh``, which unpacks the archive inside a job and runs one script.
    functions: bytes  #: Zip archive with the scripts of the Lambda functions and what they import.
    lock: Lock = field(default_factory=lambda: Lock.of(""))  #: The libraries that the code needs beside the image's.

    @property
    def prefix(self) -> str:
        """S3 key prefix of this version, without a slash at the end."""
        return f"code/{self.sha256}"

    @property
    def functions_key(self) -> str:
        """S3 key of the functions' archive: their version is their own, since jobs change more often than they do."""
        return f"code/functions/{hashlib.sha256(self.functions).hexdigest()}.zip"

    def objects(self) -> dict[str, bytes]:
        """Return S3 key → content of all that has to be in the artifacts bucket before an execution starts."""
        return {
            f"{self.prefix}/{ARCHIVE_NAME}": self.archive,
            f"{self.prefix}/{LAUNCHER_NAME}": self.launcher,
            self.functions_key: self.functions,
        }


def bundled_files(folder: Path = STEPS_FOLDER) -> list[Path]:
    """Return the files to pack, sorted by path: sources and their data, no caches, nothing hidden."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not path.is_symlink()
        and path.suffix in _SUFFIXES
        and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
    )


def bundle_of(settings: Settings) -> Bundle:
    """Pack the code of an environment."""
    return build_bundle(settings.dataset, standard=settings.registry.card_standard)


def build_bundle(dataset: str = DEFAULT_DATASET, folder: Path = STEPS_FOLDER, standard: str | None = None) -> Bundle:
    """Pack ``folder`` with a data set's declaration and, where there is one, the standard for model cards.

    A pure function of the files' relative paths and bytes.
    """
    launcher = (folder / LAUNCHER_NAME).read_bytes()
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        files = {path.relative_to(folder).as_posix(): path for path in bundled_files(folder)}
        files[DATASET_FILE] = declaration_file(dataset)
        if standard is not None:
            files[STANDARD_FILE] = standard_file(standard)
        for name, path in sorted(files.items()):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = _EXECUTABLE if path.suffix == ".sh" else _PLAIN
            archive.addfile(entry, io.BytesIO(content))
    # Hashed before compression: zlib builds differ in what they make of one input, and the version must not.
    digest = hashlib.sha256(raw.getvalue())
    digest.update(launcher)
    requirements = folder / REQUIREMENTS_FILE.name
    return Bundle(
        sha256=digest.hexdigest(),
        archive=gzip.compress(raw.getvalue(), mtime=0),
        launcher=launcher,
        functions=pack_functions(folder),
        lock=Lock.of(requirements.read_text(encoding="utf-8") if requirements.exists() else ""),
    )


def pack_functions(folder: Path = STEPS_FOLDER) -> bytes:
    """Pack the functions' scripts, uncompressed: zlib builds differ, and Lambda compares the archive's hash."""
    packed = io.BytesIO()
    shared = [path for pattern in _OF_FUNCTIONS for path in folder.glob(pattern)]
    files = sorted([*shared, *(folder / function.script for function in Function)])
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _OLDEST_TIME)
            entry.external_attr = _PLAIN << 16
            entry.create_system = 3  # Unix, whose permissions the attributes are
            archive.writestr(entry, path.read_bytes())
    return packed.getvalue()
