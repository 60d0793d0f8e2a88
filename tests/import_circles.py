"""Find circles of imports between the repository's modules; imports for type checkers count like any others.

The packages are those of ``[tool.importlinter]``; ``steps`` has to be on the path. The ``__init__`` of a package counts
as a module with the imports that stand in it. That Python runs it before the package's modules is no import of theirs.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from grimp import ImportGraph, build_graph

_SETTINGS = Path(__file__).resolve().parents[1] / "pyproject.toml"


def find_circles(graph: ImportGraph) -> Iterator[list[tuple[str, str]]]:
    """Yield each largest set of modules that all reach each other, as its imports: (importer, imported)."""
    left = set(graph.modules)
    while left:
        module = left.pop()
        circle = graph.find_upstream_modules(module) & graph.find_downstream_modules(module)
        if circle:
            members = circle | {module}
            left -= members
            yield sorted(
                (importer, imported)
                for importer in members
                for imported in graph.find_modules_directly_imported_by(importer) & members
            )


def main(arguments: list[str] | None = None) -> int:
    """Print the circles of some packages; return 1 where there is one."""
    settings = tomllib.loads(_SETTINGS.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("packages", nargs="*", default=settings["tool"]["importlinter"]["root_packages"])
    packages = parser.parse_args(arguments).packages
    graph = build_graph(*packages, exclude_type_checking_imports=False, cache_dir=None)
    circles = list(find_circles(graph))
    for circle in circles:
        arrows = "\n".join(f"  {importer} -> {imported}" for importer, imported in circle)
        sys.stdout.write(f"{len({importer for importer, _ in circle})} modules import each other:\n{arrows}\n")
    sys.stdout.write(
        f"{len(circles)} circles of imports among {len(graph.modules)} modules of {', '.join(packages)}, "
        "type-only imports included\n"
    )
    return 1 if circles else 0


if __name__ == "__main__":
    sys.exit(main())
