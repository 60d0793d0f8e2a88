"""Links of pages, the address of the repository, and docstrings that were written for another tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.lib.site.docstrings import markdown
from scripts.lib.site.pages import Sources, navigation, repository_url, unlisted

URL = "https://git.example/it"


def sources(root: Path, url: str | None) -> Sources:
    (root / "steps").mkdir()
    (root / "steps" / "claim.py").touch()
    return Sources(root, url, {"README.md", "docs/a.md", "docs/b.md", "notebooks/one.ipynb"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[b](b.md#part), [up](../README.md), [here](#part)", None),
        ("[away](https://example.com/x.py)", None),
        ("[gone](gone.py)", None),
        ("![picture](../steps/claim.py)", None),
        ("`[code](../steps/claim.py)`", None),
        ("```\n[fenced](../steps/claim.py)\n```", None),
        ("[`steps/claim.py`](../steps/claim.py)", f"[`steps/claim.py`]({URL}/blob/HEAD/steps/claim.py)"),
        ("[the\nscript](../steps/claim.py#L3)", f"[the\nscript]({URL}/blob/HEAD/steps/claim.py#L3)"),
        ("[scripts](../steps)", f"[scripts]({URL}/tree/HEAD/steps)"),
        ("[one.ipynb](../notebooks/one.ipynb#a)", "[one.ipynb](../notebooks/one.md#a)"),
    ],
)
def test_links_that_lead_to_no_page_lead_to_the_repository(tmp_path: Path, text: str, expected: str | None) -> None:
    assert sources(tmp_path, URL).linked(text, "docs/a.md") == (expected or text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[`claim.py`](../steps/claim.py)", "`claim.py`"),
        ("[the script](../steps/claim.py)", "the script (`steps/claim.py`)"),
    ],
)
def test_without_an_address_sources_are_named(tmp_path: Path, text: str, expected: str) -> None:
    assert sources(tmp_path, None).linked(text, "docs/a.md") == expected


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://github.com/owner/name.git", "https://github.com/owner/name"),
        ("git@github.com:owner/name.git", "https://github.com/owner/name"),
        ("ssh://git@github.com/owner/name", "https://github.com/owner/name"),
        ("https://user:secret@github.com/owner/name", "https://github.com/owner/name"),
        ("/srv/name.git", None),
        (None, None),
    ],
)
def test_the_address_of_the_repository_is_that_of_its_remote(
    tmp_path: Path, remote: str | None, expected: str | None
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    if remote is not None:
        subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    assert repository_url(tmp_path, None, {}) == expected
    assert repository_url(tmp_path, None, {"urls": {"Source": f"{URL}/"}}) == URL
    assert repository_url(tmp_path, "https://other.example/x", {"urls": {"Source": URL}}) == "https://other.example/x"


def test_the_navigation_is_written_out() -> None:
    pages = {"docs/a.md": "A", "docs/index.md": "Docs", "n/one.md": "One", "n/two.md": "Two", "n/index.md": "All"}
    entries = [{"X": [{"A": "docs/a.md"}, {"N": "n/*"}]}, {"M": "::: some.module"}, {"Empty": "gone/*"}]
    nav, reference = navigation(entries, pages)
    assert nav == [
        {"X": [{"A": "docs/a.md"}, {"N": [{"All": "n/index.md"}, {"One": "n/one.md"}, {"Two": "n/two.md"}]}]},
        {"M": "reference/some.module.md"},
    ]
    assert reference == {"reference/some.module.md": "# M\n\n::: some.module\n"}
    assert [problem.split(":")[0] for problem in unlisted(nav, {*pages, *reference})] == ["docs/index.md"]
    assert "stands twice" in unlisted([*nav, {"Again": "docs/a.md"}], {*pages, *reference})[-1]


def test_docstrings_become_markdown() -> None:
    assert markdown("See :mod:`~a.b` and :func:`c`.") == "See `a.b` and `c`."
    assert markdown("As in::\n\n    code\n") == "As in:\n\n    code\n"
    assert markdown("Tree.\n\n::\n\n    code") == "Tree.\n\n    code"
    assert markdown(">>> one()\n>>> two()\n") == "```python\none()\ntwo()\n```\n"
