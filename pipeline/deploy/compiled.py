"""Compiled definitions, cached by the content of everything that they are made from.

Compiling imports the SageMaker SDK, which takes seconds; the same inputs always give the same bytes. So a definition is
kept under ``$XDG_CACHE_HOME/<project>/definitions`` by a hash of settings, bundle, sources of this package, and the
versions of Python and the SDK's distributions, and a command that finds it there imports no SDK at all.
"""

import hashlib
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pipeline
from analysis.runtime.project import NAME
from pipeline.definition.bundle import Bundle
from pipeline.settings.contract import FLOWS, Flow
from pipeline.settings.environment import Settings

#: Rooms of ``pipeline`` whose files decide what a definition is.
SOURCES = ("definition", "settings")
#: Distributions whose versions decide, too: those that compile, and the language.
PACKAGES = ("sagemaker", "sagemaker-core", "sagemaker-train", "sagemaker-serve", "sagemaker-mlops", "pipedef")
_KEPT = 50
_log = logging.getLogger(__name__)


def compiled_definitions(settings: Settings, bundle: Bundle, flows: Sequence[Flow] = FLOWS) -> dict[Flow, str]:
    """Return the compiled definition of each flow, from the cache if it is there.

    Raises:
        DefinitionError: the SDK refused a definition.
    """
    return {flow: _definition(settings, bundle, flow) for flow in flows}


def cache_folder() -> Path:
    """Return the folder of the compiled definitions."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / NAME / "definitions"


def input_digest(settings: Settings, bundle: Bundle, flow: Flow) -> str:
    """Return the SHA-256 of all that the definition depends on."""
    digest = hashlib.sha256()
    folder = Path(pipeline.__file__).parent
    sources = sorted(source for room in SOURCES for source in (folder / room).glob("*.*"))
    parts = [
        flow.encode(),
        settings.model_dump_json().encode(),
        bundle.sha256.encode(),
        *(version(package).encode() for package in PACKAGES),
        f"{sys.version_info.major}.{sys.version_info.minor}".encode(),
        *(part for source in sources for part in (source.name.encode(), source.read_bytes())),
    ]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _definition(settings: Settings, bundle: Bundle, flow: Flow) -> str:
    path = cache_folder() / input_digest(settings, bundle, flow)
    definition = _read(path)
    if definition is None:
        definition = _compile(settings, bundle, flow)
        _write(path, definition)
    return definition


def _compile(settings: Settings, bundle: Bundle, flow: Flow) -> str:
    from pipeline.definition.compile import compile_definition

    return compile_definition(settings, flow, bundle)


def _checksum(definition: str) -> str:
    return hashlib.sha256(definition.encode()).hexdigest()


def _read(path: Path) -> str | None:
    """Return a cached definition; None where there is none, or its content is not what was written."""
    try:
        digest, _, definition = path.read_text(encoding="utf-8").partition("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("%s can't be read (%s): compiling again", path, error)
        return None
    return definition if digest == _checksum(definition) else None


def _write(path: Path, definition: str) -> None:
    """Cache a definition, whole or not at all; a cache that can't be written costs time and nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
            file.write(f"{_checksum(definition)}\n{definition}")
        Path(file.name).replace(path)
        newest_first = sorted(path.parent.iterdir(), key=lambda item: item.stat().st_mtime, reverse=True)
        for old in newest_first[_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s can't be written (%s): the next command compiles again", path, error)
