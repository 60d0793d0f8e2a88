"""What a project may tell the linter about its own scripts, so that the checks find more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Path below the folder of the step scripts → Python source.
Sources = Mapping[str, str]

#: Key in :attr:`Project.script_actions` of what a script does whatever its arguments are.
ALWAYS = ""


@dataclass(frozen=True)
class Project:
    """A project's conventions. All of them are optional: a check leaves out what it can't tell without them.

    Attributes:
        scripts_folder: where the step scripts are, as findings name it.
        split_script: file name of the script that splits rows into training rows and test rows.
        training_script: file name of the script that fits the model.
        evaluation_script: file name of the script that judges the model on the test rows.
        selection_script: file name of the script that picks a version from the model registry.
        purpose_flag: flag of ``split_script`` whose value is ``training`` or ``scoring``.
        rowless_channels: training channels that bring something else than rows, such as packages.
        libraries_input: input or training channel that the jobs of all scripts install libraries from, since they ask
            no package index.
        code_named_by_digest: whether the path of all code has its SHA-256 in it, not only that of cached steps.
        transforms_read_one_file: whether every batch transform takes one object, and not all below a prefix.
        sharing_scripts: scripts of which each instance of a job works on a part of the rows by itself.
        script_actions: script → flag that makes it do so, or :data:`ALWAYS` → IAM actions that it takes itself.
        step_actions: step type → IAM actions, for types that the linter has no table of.
    """

    scripts_folder: str = "scripts"
    split_script: str | None = None
    training_script: str | None = None
    evaluation_script: str | None = None
    selection_script: str | None = None
    purpose_flag: str | None = None
    rowless_channels: frozenset[str] = frozenset()
    libraries_input: str | None = None
    code_named_by_digest: bool = False
    transforms_read_one_file: bool = False
    sharing_scripts: frozenset[str] = frozenset()
    script_actions: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    step_actions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ScriptFolder:
    """The sources of a project's step scripts, with what the project tells about them."""

    sources: Sources
    project: Project
