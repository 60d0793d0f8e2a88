"""The documentation site: built whole and without a warning, looked at in a real browser at two widths."""

from __future__ import annotations

import json
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from pipedef.language.parsing import parse_definition
from pipeline.definition.bundle import bundle_of
from pipeline.deploy.compiled import compiled_definitions
from pipeline.settings.environment import load_settings
from scripts.lib.site.built import Page

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
    "--v=0", "--window-size=1500,1000", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)")
WIDTHS = (1280, 420)
#: Every section that a reader looks for, and a heading of it.
SECTIONS = {
    "index.html": "What happens",
    "docs/get-started/index.html": "What you see",
    "docs/concepts/index.html": "Two pipelines",
    "docs/deploying/index.html": "3. Plan (free, read-only)",
    "docs/make-it-yours/index.html": "1. Draft the declaration",
    "docs/for-analysts/index.html": "What the columns mean",
    "docs/for-uploaders/index.html": "What a refusal looks like",
    "docs/operations/index.html": "Replay from the dead-letter queue",
    "packages/localmaker/index.html": "What runs",
    "packages/localmaker/docs/jobs/index.html": "Limits",
    "packages/pipedef/index.html": "Checks",
    "reference/pipeline.results.features/index.html": "read_features",
    "reference/localmaker.daemon/index.html": "running_endpoint",
    "reference/pipedef.linter/index.html": "validate",
    "notebooks/small/index.html": "A table, a picture",
    "docs/decisions/index.html": "Decisions",
}
#: Opens each page in a frame of each width, one after the other, and reports what it finds.
HARNESS = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<iframe style="height:900px;border:0"></iframe><script>
const frame = document.querySelector("iframe"), found = [];
const scrolls = (one) => {
  for (; one && !one.classList.contains("md-content"); one = one.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(one).overflowX)) return true;
  return false;
};
const opened = (page, width) => new Promise((done) => {
  frame.style.width = width + "px";
  frame.onload = () => setTimeout(() => {
    const inner = frame.contentWindow, root = inner.document;
    const wide = [...root.querySelectorAll(".md-content *")].filter((one) =>
      one.getBoundingClientRect().right > inner.innerWidth + 1 && one.checkVisibility() && !scrolls(one));
    found.push({page, width, inner: inner.innerWidth, scroll: root.documentElement.scrollWidth,
      wide: wide.map((one) => one.outerHTML.slice(0, 120)),
      fetched: inner.performance.getEntriesByType("resource").map((one) => one.name),
      headings: [...root.querySelectorAll("h1, h2, h3")].map((one) => one.textContent),
      figures: [...root.querySelectorAll(".graph svg")].map((one) => one.getBoundingClientRect().height)});
    done();
  }, 0);
  frame.src = "/" + page;
});
(async () => {
  for (const [page, width] of PAGES) await opened(page, width);
  await fetch("/report", {method: "POST", body: JSON.stringify(found)});
})();
</script>"""


def executed_notebook(folder: Path) -> None:
    """Write a small notebook with outputs of a real kernel: text in colours, a table, a picture."""
    cells = [
        nbformat.v4.new_markdown_cell("# A small notebook\n\nIt reads [the steps](../steps/claim.py)."),
        nbformat.v4.new_code_cell("print('\\x1b[31mred\\x1b[0m words')"),
        nbformat.v4.new_markdown_cell("## A table, a picture"),
        nbformat.v4.new_code_cell(
            "import pandas\npandas.DataFrame({f'a long name of a column {n}': [1.5, 2.5] for n in range(12)})"
        ),
        nbformat.v4.new_code_cell(
            "import base64\nfrom IPython.display import Image\n"
            "Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
            "rkJggg=='))"
        ),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    nbformat.write(notebook, folder / "small.ipynb")


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts" / "build_site.py", *arguments]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "notebooks").mkdir()
    executed_notebook(folder / "notebooks")
    done = build(
        "--notebooks", folder / "notebooks", "--output", folder / "site", "--source-url", "https://git.example/it"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"\d+ pages in \S+\n", done.stdout)
    assert {path.name for path in folder.iterdir()} == {"notebooks", "site"}
    return folder / "site"


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_check_of_the_build_sees_addresses_and_anchors(site: Path) -> None:
    """Building checks every page; that it finds what is broken is tested below."""
    page = Page(text_of(site / "docs" / "operations" / "index.html"))
    assert {("../deploying/#1-settings-free-offline", False), ("#a-failed-run", False)} <= set(page.addresses)
    assert {"rollback", "restore"} <= page.anchors


def test_every_page_of_the_repository_is_there(site: Path) -> None:
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/docs/*.md"), *ROOT.glob("*.md")]
    assert pages
    for page in pages:
        path = site / page.relative_to(ROOT).with_suffix("")
        path = path.parent if path.name in {"README", "index"} else path
        assert (path / "index.html").is_file(), page


def test_links_to_sources_lead_to_where_the_repository_is(site: Path) -> None:
    page = text_of(site / "docs" / "uploads" / "index.html")
    assert '<a href="https://git.example/it/blob/HEAD/steps/claim.py"><code>steps/claim.py</code></a>' in page
    assert 'href="https://git.example/it/blob/HEAD/steps/claim.py"' in text_of(site / "notebooks/small/index.html")


def test_graphs_have_every_step_of_the_definition(site: Path) -> None:
    page = text_of(site / "docs" / "concepts" / "index.html")
    settings = load_settings("local")
    definitions = compiled_definitions(settings, bundle_of(settings))
    drawings = re.findall(r'<div class="graph".*?</div>', page, re.DOTALL)
    for drawing, definition in zip(drawings, definitions.values(), strict=True):
        names = list(parse_definition(definition).steps)
        assert re.findall(r'<text class="name"[^>]*>(\w+)</text>', drawing) == names
        assert all(f"<td><code>{name}</code></td>" in page for name in names)


def test_a_notebook_is_shown_with_its_outputs(site: Path) -> None:
    page = text_of(site / "notebooks" / "small" / "index.html")
    assert "red words" in page
    assert "\x1b" not in page
    assert '<div class="output" tabindex="0">' in page
    (picture,) = re.findall(r'<img alt="Figure" src="([^"]+)"', page)
    assert (site / "notebooks" / "small" / picture).resolve().read_bytes().startswith(b"\x89PNG")


def pages_and_widths(site: Path) -> list[tuple[str, int]]:
    """Return what is opened: every page where it is narrow, those of the sections where it is wide, too."""
    narrow = [path.relative_to(site).as_posix().removesuffix("index.html") for path in site.rglob("index.html")]
    wide = [page.removesuffix("index.html") for page in SECTIONS]
    return [*((page, WIDTHS[1]) for page in sorted(narrow)), *((page, WIDTHS[0]) for page in wide)]


@contextmanager
def served(site: Path) -> Iterator[tuple[str, queue.Queue[Any], list[str]]]:
    """Serve the site, and the harness; yield the address, its reports, and the paths that could not be served."""
    reports: queue.Queue[Any] = queue.Queue()
    missing: list[str] = []
    harness = HARNESS.replace("PAGES", json.dumps(pages_and_widths(site))).encode()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/harness":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(harness)
            return None

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def send_error(self, code: int, *more: Any) -> None:
            missing.append(f"{code} {self.path}")
            super().send_error(code, *more)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", reports, missing
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_page_in_a_browser_at_two_widths(site: Path, tmp_path: Path) -> None:
    with served(site) as (address, reports, missing), (tmp_path / "log").open("w+") as log:
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"{address}/harness"]
        process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL)
        try:
            found = reports.get(timeout=500)
        finally:
            process.terminate()
            process.wait()
        log.seek(0)
        said = [line for line in log if "CONSOLE" in line]
    assert said == []
    assert missing == []
    pages = {(one["page"], one["width"]): one for one in found}
    assert set(pages) == set(pages_and_widths(site))
    for one in found:
        assert one["inner"] == one["width"]
        assert one["scroll"] <= one["width"], one["page"]
        assert one["wide"] == [], one["page"]
        assert [name for name in one["fetched"] if not name.startswith((address, "data:"))] == [], one["page"]
    for page, heading in SECTIONS.items():
        for width in WIDTHS:
            shown = pages[page.removesuffix("index.html"), width]
            assert any(text.strip().startswith(heading) for text in shown["headings"]), (page, shown["headings"])
    for width in WIDTHS:
        training, scoring = pages["docs/concepts/", width]["figures"]
        assert training > scoring > 300


def small_repository(folder: Path, home: str, nav: str = '{ "Home" = "README.md" }') -> Path:
    """Write a repository with one page, and the configuration of this one with another navigation."""
    (folder / "docs" / "site").mkdir(parents=True)
    config = text_of(ROOT / "docs" / "site" / "site.toml")
    config = re.sub(r"^nav = \[.*?^\]$", f"nav = [{nav}]", config, flags=re.DOTALL | re.MULTILINE)
    (folder / "docs" / "site" / "site.toml").write_text(config, encoding="utf-8")
    shutil.copy(ROOT / "docs" / "site" / "site.css", folder / "docs" / "site")
    (folder / "pyproject.toml").write_text("[project]\nname = 'small'\n", encoding="utf-8")
    (folder / "README.md").write_text(home, encoding="utf-8")
    (folder / "notebooks").mkdir()
    return folder


@pytest.mark.parametrize(
    ("home", "nav", "named"),
    [
        (
            "# Home\n\n[a](gone.md)\n\n[b](#nowhere)\n",
            '{ "Home" = "README.md" }',
            ["page does not exist", "README.md:3:5", "anchor does not exist", "README.md:5:6"],
        ),
        (
            "# Home\n\n![c](x.png) [d](x.csv)\n\n<script src='https://cdn.example/x.js'></script>\n\na\n- no list\n",
            '{ "Home" = "README.md" }',
            [
                "index.html: x.png does not exist",
                "index.html: x.csv does not exist",
                "index.html: https://cdn.example/x.js would be fetched from elsewhere",
                "index.html: '- no list' is Markdown that was not understood",
            ],
        ),
        ("# Home\n", '{ "Home" = "README.md" }, { "A" = "::: pipedef.gone" }', ["pipedef.gone could not be found"]),
        (
            "# Home\n",
            '{ "Home" = "docs/gone.md" }',
            ["nav: docs/gone.md is no page", "README.md: not in nav of docs/site/site.toml"],
        ),
    ],
    ids=["links", "what the generator does not see", "a module", "navigation"],
)
def test_what_is_broken_ends_the_build_and_is_named(tmp_path: Path, home: str, nav: str, named: list[str]) -> None:
    root = small_repository(tmp_path / "root", home, nav)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "404.html").write_text("the one before", encoding="utf-8")
    done = build("--root", root, "--notebooks", root / "notebooks", "--output", tmp_path / "site")
    assert done.returncode == 1
    assert [text for text in named if text not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "site").iterdir()] == ["404.html"]


def test_another_folder_is_not_replaced(tmp_path: Path) -> None:
    root = small_repository(tmp_path / "root", "# Home\n")
    done = build("--root", root, "--notebooks", root / "notebooks", "--output", root / "docs")
    assert done.returncode == 1
    assert "no site that was built before" in done.stderr
    assert (root / "docs" / "site" / "site.toml").is_file()
