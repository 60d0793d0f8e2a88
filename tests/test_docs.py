"""The Markdown pages: links and anchors lead somewhere, and paths in code exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.end_to_end.test_leftovers import DOCUMENTED

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page for page in ROOT.rglob("*.md") if not any(part.startswith(".") for part in page.relative_to(ROOT).parts)
)
#: For its own graph and settings; the table in the architecture page says which.
LINES_THAT_A_TEAM_EDITS = 2500
_FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:benchmarks|docs|notebooks|packages|pipeline|scripts|steps|tests)/[\w./-]*)`")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def links(text: str) -> list[str]:
    """Return the targets of the links of a page, those in code left out."""
    return _LINK.findall(_INLINE_CODE.sub("", _FENCED.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCED.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def broken(page: Path, target: str, root: Path = ROOT) -> str | None:
    """Return what is wrong with a link of a page, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    name, _, anchor = unquote(target).partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.is_relative_to(root):
        return f"{target} leads out of the repository"
    if not path.exists():
        return f"{target} does not exist"
    if anchor and anchor not in anchors(path.read_text(encoding="utf-8")):
        return f"{target}: {path.name} has no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    assert [problem for target in links(text) if (problem := broken(page, target))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_exist(page):
    """A path is relative to the page's folder, to one above it, or to a package."""
    folders = [*(folder for folder in page.parents if folder.is_relative_to(ROOT)), *ROOT.glob("packages/*")]
    paths = _PATH.findall(_FENCED.sub("", page.read_text(encoding="utf-8")))
    assert [path for path in paths if not any((folder / path).exists() for folder in folders)] == []


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("#links", None),
        ("#two-words-and-code", None),
        ("#links-1", None),
        ("page.md#links", None),
        ("https://example.com/none", None),
        ("#gone", "no such heading"),
        ("gone.md", "does not exist"),
        ("../../../../../etc", "leads out of the repository"),
    ],
)
def test_a_broken_link_is_found(tmp_path, target, problem):
    page = tmp_path / "page.md"
    headings = "# Links\n## Two words, `and` code!\n## [Links](x.md)\n"
    page.write_text(f"{headings}```\n# code\n[no](gone.md)\n```\n`[no](gone.md)`\n", encoding="utf-8")
    assert links(page.read_text(encoding="utf-8")) == ["x.md"]
    found = broken(page, target, tmp_path)
    assert found is None if problem is None else problem in str(found)


def test_every_page_of_docs_can_be_reached_from_its_index():
    reached, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in links(page.read_text(encoding="utf-8")):
            path = (page.parent / target.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.exists():
                waiting.append(path)
    assert sorted(set((ROOT / "docs").rglob("*.md")) - reached) == []


def test_the_table_of_buckets_names_what_the_test_of_leftovers_allows():
    page = (ROOT / "docs" / "uploads.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (raw|artifacts|predictions) \| `([a-z-]+)/` \| .+ \| .+ \|$", page, re.MULTILINE)
    allowed = {
        (bucket, prefix)
        for bucket, pattern in DOCUMENTED.items()
        for prefix in re.findall(r"(?:^\(?|\|)([a-z-]+)/(?!\))", pattern)
    }
    assert set(rows) == allowed


def test_what_a_team_edits_is_small():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    command = re.search(r"^wc -l (.*?)\n```", page, re.DOTALL | re.MULTILINE)
    assert command is not None
    files = [file for pattern in command[1].replace("\\\n", " ").split() for file in sorted(ROOT.glob(pattern))]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= LINES_THAT_A_TEAM_EDITS
    named = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    missing = {str(file.relative_to(ROOT)) for file in files if file.suffix == ".py"} - named
    assert missing == set()
