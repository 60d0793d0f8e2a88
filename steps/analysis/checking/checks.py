"""From text cells to checked rows, for a table of any declaration: types, form, gaps, repetitions, domains, rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.checking.domains import Broken, broken_domains, lines_of, notice_unusual
from analysis.checking.earlier_rows import History, joined
from analysis.checking.forms import Ranges, file_form, scale_of
from analysis.checking.identity import identity_column
from analysis.checking.limits import QualityLimits
from analysis.checking.missing import drop_rows_with_gaps, refuse_wholly_empty
from analysis.checking.problems import Findings, Mask
from analysis.checking.purpose import Purpose
from analysis.checking.quality_report import Origin, quality_report
from analysis.checking.ranges import compare_with_training
from analysis.checking.repeated import without_repeated_keys, without_repeated_rows
from analysis.checking.rules import all_rules, broken_rules
from analysis.checking.typing_rows import TypedRows, typed_rows
from analysis.dataset.afterwards import known_afterwards
from analysis.dataset.columns import Kind, plain_name
from analysis.dataset.declaration import Dataset, Repeated
from analysis.dataset.rules import Rule, Severity
from analysis.runtime.errors import InputError, ModelError, Problem
from analysis.runtime.project import NAME


@dataclass(frozen=True)
class CheckedRows:
    """Rows that passed every check.

    rows: "line" (int64), then the declared columns that the file has, in declared order: measures float64 in their
        unit; counts and flags int64; categories the level as it is declared, identifiers and texts as they are
        (string); dates date32, moments timestamp[us]. Null only in columns whose empty cells are filled later or stand
        for a placeholder, in answers that nobody asked for, and in optional names. Sorted by time, then key; rows that
        are equal in these, and those of a table with neither, are in the order of the file.
    report: the machine-readable quality report, as it is written to quality.json.
    identities: what names each row for ever, see :func:`~analysis.checking.identity.identity_column`.
    """

    rows: pa.Table
    report: dict[str, Any]
    identities: pa.Array


def check_rows(
    batches: Iterable[pa.RecordBatch],
    dataset: Dataset,
    purpose: Purpose,
    *,
    required: Collection[str],
    limits: QualityLimits,
    repeated_rows: Repeated,
    origin: Origin,
    ranges: Ranges | None = None,
    removes_columns: bool = False,
    history: History | None = None,
) -> CheckedRows:
    """Type, repair and check the rows of a file; raises InputError with every problem found.

    batches: the line in the file (int64), then its columns as text, declared ones by their declared name.
    required: answers (target, parts) that the file must have: those the model is trained on. ModelError is raised
        where a file to score lacks one, because that is no mistake of the file.
    ranges: input column → smallest and largest value of the rows that the model was trained on; None in training.
    removes_columns: whether inputs that carry nothing of their own are kept from the model, or only reported.
    history: earlier rows to train on as well; those of the file win.
    """
    findings = Findings(origin.file)
    typed = typed_rows(_with_known_header(batches, dataset, purpose, required, origin), dataset, findings)
    if not typed.count:
        raise InputError(origin.file, [Problem("the file has a header but no rows", line=origin.header_line + 1)])
    form = file_form(typed, dataset, ranges, limits, findings)
    findings.stop()
    findings.repaired("every cell can be read as its type", (), None, "")
    rows = _in_units(typed, dataset, form)
    typed.values.clear()  # not needed any more, and as large as the table
    typed.dates.clear()
    _refuse_missing_answers(rows, dataset, purpose, required, origin.file)
    refuse_wholly_empty(rows, dataset, required, limits, findings)
    findings.stop()
    rows = without_repeated_rows(rows, dataset, repeated_rows, limits, findings)
    rows = drop_rows_with_gaps(rows, dataset, required, limits, findings)
    findings.stop()
    rows = _drop_broken_rows(rows, dataset, form, limits, findings)
    rows = without_repeated_keys(rows, dataset, limits, findings)
    findings.stop()
    _check_sums(rows, dataset, limits, findings)
    if ranges is not None:
        compare_with_training(rows, dataset, ranges, limits, findings)
    findings.stop()
    notice_unusual(rows, dataset, findings)
    for rule, broken in broken_rules(rows, dataset, [rule for rule in all_rules(dataset) if _is_finding(rule)]):
        findings.notice(broken.column, rule.message, lines_of(rows)[broken.mask])
    rows = _fold_levels(rows, dataset, findings)
    return _finished(
        rows, typed, dataset, findings, limits,
        origin=origin, form=form, purpose=purpose, required=required, removes_columns=removes_columns, history=history,
    )  # fmt: skip


def history_alone(
    history: History,
    dataset: Dataset,
    name: str,
    *,
    required: Collection[str],
    limits: QualityLimits,
    removes_columns: bool,
) -> CheckedRows:
    """Return the history's rows to train on, where no file has landed; they were checked when they were uploaded.

    name: what messages call it. Raises InputError where the rows are too few.
    """
    return _finished(
        history.rows.slice(0, 0), TypedRows(), dataset, Findings(name), limits,
        origin=Origin(file=name), form=dataset.forms[0], purpose=Purpose.TRAINING, required=required,
        removes_columns=removes_columns, history=history,
    )  # fmt: skip


def _finished(
    rows: pa.Table,
    typed: TypedRows,
    dataset: Dataset,
    findings: Findings,
    limits: QualityLimits,
    *,
    origin: Origin,
    form: str,
    purpose: Purpose,
    required: Collection[str],
    removes_columns: bool,
    history: History | None,
) -> CheckedRows:
    """Add the history, see whether there are enough rows, sort them and report."""
    identities = identity_column(rows, dataset)
    known = None
    if history is not None:
        both = joined(rows, identities, history, dataset)
        rows, identities = both.rows, both.identities
        known = {"as_of": history.as_of, "rows": both.from_history, "incomplete": both.incomplete}
    _check_size(len(rows), origin.file, purpose, limits, findings)
    order = _order(rows, [name for name in (dataset.time, *dataset.key) if name is not None])
    if not np.array_equal(order, np.arange(len(order))):
        rows, identities = rows.take(order).combine_chunks(), identities.take(order)
    report = quality_report(
        rows, typed, dataset, findings, limits,
        origin=origin, form=form, purpose=purpose, required=required, removes_columns=removes_columns, history=known,
    )  # fmt: skip
    return CheckedRows(rows, report, identities)


def _with_known_header(
    batches: Iterable[pa.RecordBatch], dataset: Dataset, purpose: Purpose, required: Collection[str], origin: Origin
) -> Iterable[pa.RecordBatch]:
    """Check the header before anything else is read."""
    for number, batch in enumerate(batches):
        if not number:
            _check_header(batch.schema.names[1:], dataset, purpose, required, origin)
        yield batch


def _check_header(
    header: Sequence[str], dataset: Dataset, purpose: Purpose, required: Collection[str], origin: Origin
) -> None:
    plain = {plain_name(name): name for name in header if name not in dataset.columns}
    for other in dataset.other_tables:
        found = [plain[plain_name(name)] for name in other.columns if plain_name(name) in plain]
        if found:
            raise InputError(origin.file, [Problem(other.message, origin.header_line, found[0])])
    absent = [
        name
        for name, column in dataset.columns.items()
        if name not in header and (name in required or not (column.optional or name in dataset.answers))
    ]
    answers = [name for name in absent if name in required and name in known_afterwards(dataset)]
    if purpose is Purpose.SCORING and answers and len(answers) == len(absent):
        raise _unanswerable(answers, dataset, origin.file)
    if absent:
        raise InputError(origin.file, [_absent(name, origin) for name in absent])


def _absent(name: str, origin: Origin) -> Problem:
    near = origin.near.get(name)
    hint = f": found {near!r}, expected {name!r}" if near is not None else ""
    return Problem(f"the column is missing{hint}", origin.header_line, name)


def _unanswerable(answers: Sequence[str], dataset: Dataset, file: str) -> ModelError:
    names = " and ".join(answers)
    return ModelError(
        f"{file} can't be scored by this model: it takes {names} as inputs, which are only known when {dataset.target} "
        "is. Nothing is wrong with the file. Look at the versions of the model and put one of another profile in use "
        f"({NAME} model list; {NAME} model approve VERSION), then start the execution again."
    )


def _refuse_missing_answers(
    rows: pa.Table, dataset: Dataset, purpose: Purpose, required: Collection[str], file: str
) -> None:
    if purpose is Purpose.SCORING:
        late = [name for name in known_afterwards(dataset) if name in required]
        answers = [name for name in late if rows[name].null_count]
        if answers:
            raise _unanswerable(answers, dataset, file)


def _in_units(typed: TypedRows, dataset: Dataset, form: str) -> pa.Table:
    """Put the columns together, measures in their units and dates as the form has them."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in dataset.columns.items():
        if name in typed.dates:
            columns[name] = pa.chunked_array(typed.dates[name][form].chunks)
        elif name in typed.values:
            values = pa.chunked_array(typed.values[name])
            scale = scale_of(column, form)
            columns[name] = values if scale == 1.0 else pc.multiply(values, scale)
    lines = pa.chunked_array([pa.array(typed.all_lines(), pa.int64())])
    return pa.table([lines, *columns.values()], names=["line", *columns]).combine_chunks()


def _drop_broken_rows(
    rows: pa.Table, dataset: Dataset, form: str, limits: QualityLimits, findings: Findings
) -> pa.Table:
    """Drop or refuse the rows that break a domain or a rule."""
    rules = [rule for rule in all_rules(dataset) if not _is_finding(rule) and not _is_target_sum(rule, dataset)]
    outside = list(broken_domains(rows, dataset, form))
    broken = [*outside, *_of_valid_values((found for _, found in broken_rules(rows, dataset, rules)), outside)]
    lines = lines_of(rows)
    every: Mask = np.logical_or.reduce([np.zeros(len(rows), dtype=np.bool_), *(one.mask for one in broken)])
    check, repair = "levels, ranges and rules as declared", "rows outside their domain or range dropped"
    if findings.passed(check, lines[every], limits.invalid_rows, repair):
        return rows.filter(pa.array(~every))
    _refuse_broken(broken, rows, findings)
    return rows


def _of_valid_values(broken: Iterable[Broken], outside: Sequence[Broken]) -> Iterable[Broken]:
    """Leave out the values that can't be at all: what they break beside that says nothing more."""
    for one in broken:
        impossible = [other.mask for other in outside if other.column == one.column]
        yield replace(one, mask=np.logical_and.reduce([one.mask, *(~mask for mask in impossible)]))


def _refuse_broken(broken: Iterable[Broken], rows: pa.Table, findings: Findings) -> None:
    for one in broken:
        findings.refuse_rows(one.column, one.kind, lines_of(rows), one.mask, one.message)


def _is_finding(rule: Rule) -> bool:
    return rule.severity is Severity.FINDING


def _is_target_sum(rule: Rule, dataset: Dataset) -> bool:
    return rule.column == dataset.target and bool(rule.sum_of)


def _check_sums(rows: pa.Table, dataset: Dataset, limits: QualityLimits, findings: Findings) -> None:
    """Refuse rows whose target is not the sum of its parts, or keep them within the limit."""
    rules = [rule for rule in all_rules(dataset) if _is_target_sum(rule, dataset) and not _is_finding(rule)]
    for rule, broken in broken_rules(rows, dataset, rules):
        sentence = f"{rule.column} = {' + '.join(rule.sum_of)}"
        repair = f"rows kept although {rule.column} is not {' + '.join(rule.sum_of)}"
        if not findings.passed(sentence, lines_of(rows)[broken.mask], limits.unequal_sums, repair):
            _refuse_broken([broken], rows, findings)


def _fold_levels(rows: pa.Table, dataset: Dataset, findings: Findings) -> pa.Table:
    """Prepare levels that are too rare to learn from as the declared other one."""
    for name in dataset.of_kind(Kind.CATEGORY, among=rows.column_names):
        for level, stand_in in dataset.columns[name].prepared_as.items():
            rare = pc.fill_null(pc.equal(rows[name], level), fill_value=False)
            findings.repair(f"{name} {level} prepared as {stand_in}", lines_of(rows)[rare.to_numpy()])
            folded = pc.if_else(rare, stand_in, rows[name])
            rows = rows.set_column(rows.column_names.index(name), name, folded)
    return rows


def _check_size(rows: int, file: str, purpose: Purpose, limits: QualityLimits, findings: Findings) -> None:
    if not rows:
        raise InputError(file, [Problem("no row is left: every one was dropped")])
    if purpose is not Purpose.TRAINING:
        return
    needed = limits.minimum_training_rows
    if rows < needed:
        subject = "1 usable row is" if rows == 1 else f"{rows} usable rows are"
        raise InputError(file, [Problem(f"{subject} too few to train on; {needed} are needed")])
    findings.passed(f"at least {needed} rows to train on")


def _order(rows: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return the order by these columns; the line, which grows, keeps the order of the file among equals."""
    keys = [(name, "ascending") for name in dict.fromkeys([*names, "line"])]
    return pc.sort_indices(rows, sort_keys=keys) if names else pa.array(range(len(rows)), pa.int64())
