"""Build the documentation site: the repository's pages, both pipelines' graphs, the API reference, executed notebooks.

Every warning of the generator, every link or anchor that leads nowhere and every page that the navigation lacks ends
the build; the site that was there before stays. Nothing on the pages is fetched from elsewhere.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "steps"))

from pipedef.language.parsing import parse_definition
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.compiled import compiled_definitions
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import load_settings
from scripts.lib.program import ScriptError, program_parser, run_program
from scripts.lib.site import docstrings, graphs
from scripts.lib.site.built import problems
from scripts.lib.site.notebook_pages import notebook_page
from scripts.lib.site.pages import Sources, navigation, page_files, repository_url, unlisted

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = """\
examples:
  python scripts/build_site.py --output build/site                       # executes the notebooks first
  python scripts/build_site.py --notebooks executed --output build/site  # takes those that were executed before
  python -m http.server --bind 127.0.0.1 --directory build/site          # … and look at it

exit codes: 0 built, 2 wrong call, 1 anything else that the message names
"""
_GRAPH = re.compile(r"^<!-- (graph|steps) of (training|scoring) -->$", re.MULTILINE)
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
#: All that zensical says of a build in which it finds nothing.
_EXPECTED = re.compile(r"^(?:Build started|No issues found|Build finished in [\d.]+ ?m?s|)$")
_TERMINAL = re.compile(r"\x1b\[[0-9;]*m")
_PYTHON = (".", "steps", "packages/localmaker/src", "packages/pipedef/src")


def executed(folder: Path, data: Path | None) -> None:
    """Execute the notebooks on an endpoint of their own, and write them, with their outputs, into a folder."""
    from nbformat import write

    from localmaker.daemon import running_endpoint
    from scripts.lib.notebooks import execute

    exports = {"OUTPUT_DIR": str(folder), "EXPORT": str(folder / "model.joblib")}
    with running_endpoint(folder / "state") as endpoint:
        variables = {**endpoint.environment(), **exports, **({"DATA": str(data.resolve())} if data else {})}
        for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
            print(f"executing {path.relative_to(ROOT)} …", file=sys.stderr)
            write(execute(path, variables=variables, timeout=1800), folder / path.name)


def with_graphs(text: str) -> str:
    """Return a page's Markdown with the graphs that its comments ask for, drawn from the compiled definitions."""
    if not _GRAPH.search(text):
        return text
    settings = load_settings("local")
    compiled = compiled_definitions(settings, bundle_of(settings), FLOWS)
    definitions = {str(flow): parse_definition(definition) for flow, definition in compiled.items()}

    def drawn(match: re.Match[str]) -> str:
        definition = definitions[match[2]]
        return graphs.table(definition) if match[1] == "steps" else graphs.svg(definition, f"The {match[2]} pipeline")

    return _GRAPH.sub(drawn, text)


def assemble(work: Path, notebooks: Path, root: Path, source_url: str | None, site_url: str | None) -> Path:
    """Write the generator's sources and its configuration into a folder, and return the configuration's path."""
    config: dict[str, Any] = tomllib.loads((root / "docs" / "site" / "site.toml").read_text(encoding="utf-8"))
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files, shown = page_files(root), {f"notebooks/{path.name}": path for path in sorted(notebooks.glob("*.ipynb"))}
    sources = Sources(root, repository_url(root, source_url, project), files.keys() | shown.keys())
    target, titles = work / "source", {}

    def write(page: str, text: str) -> None:
        titles[page] = found[1].replace("`", "") if (found := _TITLE.search(text)) else page
        (target / page).parent.mkdir(parents=True, exist_ok=True)
        (target / page).write_text(text, encoding="utf-8")

    for page, path in files.items():
        if path.suffix == ".md":
            write(page, with_graphs(sources.linked(path.read_text(encoding="utf-8"), page)))
        else:
            (target / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / page)
    for page, path in shown.items():
        body, images = notebook_page(path)
        write(page.removesuffix(".ipynb") + ".md", sources.linked(body, page))
        for name, content in images.items():
            (target / "notebooks" / name).parent.mkdir(exist_ok=True)
            (target / "notebooks" / name).write_bytes(content)
    config["nav"], reference = navigation(config["nav"], titles)
    for page, text in reference.items():
        write(page, text)
    if wrong := unlisted(config["nav"], titles.keys()):
        raise ScriptError("\n".join(wrong))
    handler = config["plugins"]["mkdocstrings"]["handlers"]["python"]
    handler["paths"] = [str(root / folder) for folder in _PYTHON]
    handler["options"]["extensions"] = [f"{docstrings.__file__}:Roles"]
    config |= {"docs_dir": "source", "site_dir": "html"} | ({"site_url": site_url} if site_url else {})
    # YAML takes any JSON, and the standard library writes no TOML.
    (work / "mkdocs.yml").write_text(json.dumps(config), encoding="utf-8")
    return work / "mkdocs.yml"


def build(config: Path) -> Path:
    """Run the generator, and return the folder of the built site; raise ScriptError with everything that it says."""
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=config.parent)
    said = _TERMINAL.sub("", done.stdout + done.stderr)
    said, crashed, traceback = said.partition("\nTraceback (most recent call last):")
    said += f"\n{traceback.strip().splitlines()[-1]}" if crashed else ""
    if done.returncode or not all(_EXPECTED.match(line.strip()) for line in said.splitlines()):
        raise ScriptError(f"The site does not build without a warning:\n{said.strip()}")
    if wrong := list(problems(config.parent / "html")):
        raise ScriptError("\n".join(["The built site is not whole:", *wrong]))
    return config.parent / "html"


def main(arguments: Sequence[str]) -> None:
    """Run the program."""
    parser = program_parser(__doc__, EXAMPLES)
    parser.add_argument("--notebooks", type=Path, help="folder of executed notebooks (default: execute them)")
    parser.add_argument("--data", type=Path, help="CSV that they are executed with (default: their generated sample)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the site, which is replaced")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose pages are built (default: this one)")
    parser.add_argument("--source-url", help="where sources are linked (default: [project.urls], or the Git remote)")
    parser.add_argument("--site-url", help="address of the published site, for its map and its page of 'not found'")
    request = parser.parse_args(arguments)
    if request.notebooks and not request.notebooks.is_dir():
        raise ScriptError(f"{request.notebooks} is no folder.", "Give the folder of executed notebooks.")
    if request.output.exists() and not (request.output / "404.html").is_file():
        raise ScriptError(f"{request.output} is there, and no site that was built before.", "Give another --output.")
    request.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="site-", dir=request.output.parent) as folder:
        work = Path(folder)
        (work / "notebooks").mkdir()
        if request.notebooks is None:
            executed(work / "notebooks", request.data)
        config = assemble(
            work, request.notebooks or work / "notebooks", request.root.resolve(), request.source_url, request.site_url
        )
        built = build(config)
        if request.output.exists():
            shutil.rmtree(request.output)
        built.replace(request.output)
    print(f"{len(list(request.output.rglob('index.html')))} pages in {request.output}")


if __name__ == "__main__":
    run_program(main)
