"""The command line: what help imports, and that every command that is written down anywhere exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from pipeline.cli import app

ROOT = Path(__file__).parents[3]
WRITTEN_DOWN = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "Makefile",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github" / "workflows").glob("*.yml")),
    *sorted((ROOT / "pipeline").rglob("*.py")),
]
# What takes long to import, and no help needs. (typer makes its parameters with pydantic.)
HEAVY = {"boto3", "botocore", "sagemaker", "pydantic_settings", "rich", "pandas", "numpy", "moto"}
HELP = """
import sys
from pipeline.cli import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
print("IMPORTED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["model", "--help"], []])
def test_help_imports_nothing_that_takes_long(arguments):
    done = subprocess.run([sys.executable, "-c", HELP, *arguments], capture_output=True, text=True, check=True)
    imported = set(done.stdout.rsplit("IMPORTED", 1)[1].split())
    assert imported & HEAVY == set()


def commands():
    """Words of each command → its options."""

    def walk(command, words):
        inner = getattr(command, "commands", {})
        # Some groups are a command as well.
        if not inner or (words and command.invoke_without_command):
            yield (
                words,
                {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)},
            )
        for name, one in inner.items():
            yield from walk(one, (*words, name))

    return dict(walk(typer.main.get_command(app), ()))


def written_down():
    """(file, words after ``bikeshare``, options) of each command in documents, workflows and messages."""
    for path in WRITTEN_DOWN:
        for line in path.read_text(encoding="utf-8").splitlines():
            for match in re.finditer(
                r"(?:\bbikeshare|\{NAME\}|-m pipeline) ((?:[a-z-]+ )*[a-z-]+)((?: [^`#;|)\"]*)?)", line
            ):
                yield path.name, match[1].split(), re.findall(r"(?<!\S)--?[a-z][a-z-]*", match[2])


def test_every_command_that_is_written_down_exists_with_its_options():
    known = commands()
    groups = {words[0] for words in known if len(words) > 1}
    seen = 0
    for file, words, options in written_down():
        is_group = words[0] in groups and not (words[1:] and words[1].startswith("-"))
        name = tuple(words[:2]) if is_group else (words[0],)
        if name[0] not in {words[0] for words in known}:
            continue  # prose: "bikeshare is …"
        assert name in known or len(name) == 1, (file, words)
        seen += 1
        if name in known:
            assert set(options) - {*known[name], "--help"} == set(), (file, words)
    assert seen > 40


def test_every_command_is_in_the_readme_or_the_docs():
    text = "".join(path.read_text(encoding="utf-8") for path in WRITTEN_DOWN if path.suffix == ".md")
    assert [words for words in commands() if f"bikeshare {' '.join(words)}" not in text] == []
