"""The pages of the site: the repository's Markdown at the same paths, so that relative links mean the same in both.

What the site does not have (sources, folders) is linked where the repository is hosted, or named as plain code where
nobody knows a URL.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

_SOURCES = ("*.md", "docs/**/*.md", "docs/images/*", "docs/site/*.css", "packages/*/*.md", "packages/*/docs/**/*.md")
#: Fenced code, a link (whose text may hold code), or code: tried in this order at each place.
_LINK = re.compile(
    r"^(?P<fence> *(?:```|~~~)).*?^(?P=fence)"
    r"|(?<!!)\[(?P<text>(?:`[^`]*`|[^\[\]`])*)\]\((?P<target>[^)\s]+)\)"
    r"|`[^`\n]*`",
    re.DOTALL | re.MULTILINE,
)
#: ``git@github.com:owner/name.git`` and ``ssh://git@github.com/owner/name``
_SSH = re.compile(r"^(?:ssh://)?git@([^:/]+)[:/](.+)$")


@dataclass(frozen=True)
class Sources:
    """What pages are made of.

    Attributes:
        root: the repository.
        url: where it is hosted, without a slash at the end; None where nobody knows.
        pages: paths below the root that the site has, and notebooks.
    """

    root: Path
    url: str | None
    pages: AbstractSet[str]

    def linked(self, text: str, page: str) -> str:
        """Return a page's Markdown with the links that lead to no page of the site rewritten."""

        def rewritten(match: re.Match[str]) -> str:
            target = match["target"]
            if target is None or re.match(r"#|[a-z][a-z0-9+.-]*:", target):
                return match[0]
            path, _, anchor = target.partition("#")
            wanted = os.path.normpath(PurePosixPath(page).parent / path)
            if wanted in self.pages:
                return f"[{match['text']}]({target.replace('.ipynb', '.md')})"
            if not (self.root / wanted).exists():
                return match[0]  # broken: the site's check names it
            if self.url is None:
                return match["text"] if "`" in match["text"] else f"{match['text']} (`{wanted}`)"
            kind = "tree" if (self.root / wanted).is_dir() else "blob"
            return f"[{match['text']}]({self.url}/{kind}/HEAD/{wanted}{f'#{anchor}' if anchor else ''})"

        return _LINK.sub(rewritten, text)


def page_files(root: Path) -> dict[str, Path]:
    """Return path on the site → file of everything in the repository that is a page or belongs to pages."""
    found = {path for pattern in _SOURCES for path in root.glob(pattern) if path.is_file()}
    return {path.relative_to(root).as_posix(): path for path in sorted(found)}


def repository_url(root: Path, given: str | None, project: Mapping[str, Any]) -> str | None:
    """Return where sources are linked: as given, as in ``[project.urls]``, or as Git's remote ``origin`` is called."""
    known = given or project.get("urls", {}).get("Source")
    if known is None:
        command = ["git", "-C", str(root), "remote", "get-url", "origin"]
        known = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    known = _SSH.sub(r"https://\1/\2", known).rstrip("/").removesuffix(".git")
    # A user or a token in the URL of a remote is nobody else's business.
    known = re.sub(r"^https://[^/@]*@", "https://", known)
    return known if known.startswith("https://") else None


def navigation(entries: list[Any], pages: Mapping[str, str]) -> tuple[list[Any], dict[str, str]]:
    """Return the navigation with its short forms written out, and the pages of the API reference that it asks for.

    ``::: module`` becomes a page of the module's docstrings, ``notebooks/*`` the pages of the folder by their titles.
    """
    reference: dict[str, str] = {}

    def written(entry: Mapping[str, Any]) -> list[Any]:
        ((title, value),) = entry.items()
        if isinstance(value, list):
            return [{title: [item for part in value for item in written(part)]}]
        if value.startswith(":::"):
            page = f"reference/{value[3:].strip()}.md"
            reference[page] = f"# {title}\n\n{value}\n"
            return [{title: page}]
        if value.endswith("/*"):
            folder = value.removesuffix("*")
            found = sorted(page for page in pages if page.startswith(folder))
            found.sort(key=lambda page: page != f"{folder}index.md")
            return [{title: [{pages[page]: page} for page in found]}] if found else []
        return [{title: value}]

    return [item for entry in entries for item in written(entry)], reference


def unlisted(entries: list[Any], pages: AbstractSet[str]) -> list[str]:
    """Return what is wrong between navigation and pages: each lists the other, once."""
    listed: list[str] = []

    def collect(entry: Any) -> None:
        if isinstance(entry, str):
            listed.append(entry)
        else:
            for item in entry if isinstance(entry, list) else entry.values():
                collect(item)

    collect(entries)
    wrong = [f"docs/site/site.toml: nav: {page} is no page" for page in sorted(set(listed) - pages)]
    wrong += [f"{page}: not in nav of docs/site/site.toml" for page in sorted(pages - set(listed))]
    return wrong + [
        f"docs/site/site.toml: nav: {page} stands twice" for page in sorted(set(listed)) if listed.count(page) > 1
    ]
