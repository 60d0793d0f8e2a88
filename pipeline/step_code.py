"""The code of ``steps/``: where it is, and its package ``analysis`` for the template.

``steps/`` is copied into containers and is not installed here. Its shared package is loaded from its folder once,
before any other module of the template, so that ``from analysis.dataset… import …`` works in all of ``pipeline``.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

PACKAGE = "analysis"


def _steps_folder() -> Path:
    """Return the scripts' folder: beside the package in a checkout, inside it in a wheel."""
    packaged = Path(__file__).parent / "_steps"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "steps"


STEPS_FOLDER = _steps_folder()


def make_importable() -> None:
    """Load the package itself, unless it is loaded or on the path already; Python finds its modules by its folder."""
    if PACKAGE in sys.modules:
        return
    spec = spec_from_file_location(PACKAGE, STEPS_FOLDER / PACKAGE / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{STEPS_FOLDER} holds no package {PACKAGE}.")
    module = module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
