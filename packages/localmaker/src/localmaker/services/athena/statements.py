"""Statements: what a query string asks for, and the parameters in it.

What Athena would refuse when the query starts is refused here with InvalidRequestException; what it runs and the local
endpoint does not, is a statement that fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from localmaker.errors import AwsError

_QUERIES = ("SELECT", "WITH", "VALUES", "TABLE", "(")
_DDL = ("ALTER", "CREATE", "DESCRIBE", "DESC", "DROP", "MSCK", "SHOW")
_OTHERS = (*_DDL, "ANALYZE", "DEALLOCATE", "DELETE", "EXECUTE", "EXPLAIN", "INSERT", "MERGE", "OPTIMIZE", "PREPARE")
_KNOWN = (*_OTHERS, "UPDATE", "VACUUM")
_NAME = r'((?:[`"]?[\w-]+[`"]?\.)?[`"]?[\w-]+[`"]?)'
_SHOWS = {
    "views": re.compile(rf"SHOW\s+VIEWS(?:\s+(?:IN|FROM)\s+{_NAME})?(?:\s+LIKE)?(?:\s+'([^']*)')?", re.IGNORECASE),
    "create_view": re.compile(rf"SHOW\s+CREATE\s+VIEW\s+{_NAME}", re.IGNORECASE),
    "databases": re.compile(r"SHOW\s+(?:DATABASES|SCHEMAS)(?:\s+LIKE)?(?:\s+'([^']*)')?", re.IGNORECASE),
    "tables": re.compile(rf"SHOW\s+TABLES(?:\s+(?:IN|FROM)\s+{_NAME})?(?:\s+'([^']*)')?", re.IGNORECASE),
    "partitions": re.compile(rf"SHOW\s+PARTITIONS\s+{_NAME}", re.IGNORECASE),
    "describe": re.compile(rf"DESC(?:RIBE)?\s+(?:EXTENDED\s+|FORMATTED\s+)?{_NAME}", re.IGNORECASE),
}
_CTAS = re.compile(r"CREATE\s+TABLE\s.*?\sAS\b", re.IGNORECASE | re.DOTALL)
_VIEW = re.compile(rf"CREATE\s+(OR\s+REPLACE\s+)?VIEW\s+{_NAME}\s+AS\b\s*", re.IGNORECASE)
_DROP_VIEW = re.compile(rf"DROP\s+VIEW\s+(IF\s+EXISTS\s+)?{_NAME}", re.IGNORECASE)
_COMPRESSIONS = ("SNAPPY", "GZIP", "ZSTD", "LZ4")
_COLOURS = re.compile(r"\x1b\[\d+m")


@dataclass(frozen=True)
class Statement:
    """What a query string asks for.

    Attributes:
        kind: ``select``, ``ctas``, ``unload``, ``view``, ``drop_view``, ``show`` or ``other``.
        name: SubstatementType.
        query: the tree of the SELECT, if it has one.
        arguments: names and patterns of SHOW and DESCRIBE; database, name and option of a new table, or of a view.
        properties: of a WITH clause.
        location: where UNLOAD writes.
        sql: the text of a view's query.
    """

    kind: str
    name: str
    query: Any = None
    arguments: Sequence[str] = ()
    properties: dict[str, Any] = field(default_factory=dict)
    location: str = ""
    sql: str = ""

    @property
    def type(self) -> str:
        """StatementType."""
        if self.name in ("EXPLAIN", "DESCRIBE", "DESC") or self.kind == "show":
            return "UTILITY" if self.name != "SHOW" else "DDL"
        return "DDL" if self.kind in ("ctas", "view", "drop_view") or self.name in _DDL else "DML"

    @property
    def compression(self) -> str:
        """Compression of the Parquet files; empty if it is not known."""
        named = self.properties.get("write_compression") or self.properties.get("parquet_compression")
        wanted = str(named or self.properties.get("compression") or "GZIP").upper()
        return {"NONE": "UNCOMPRESSED"}.get(wanted, wanted if wanted in _COMPRESSIONS else "")

    @property
    def partitioned_by(self) -> list[str]:
        """Names of the columns by which files are partitioned, in lower case."""
        return [str(name).lower() for name in self.properties.get("partitioned_by", [])]


def parse(text: str, parameters: Sequence[str]) -> Statement:
    """Return the statement of a query string.

    Raises:
        AwsError: InvalidRequestException.
    """
    stripped = text.strip().rstrip(";").strip()
    if not stripped:
        raise refused("line 1:1: mismatched input '<EOF>'. Expecting: a statement")
    start = text.index(stripped)
    whole = " " * start + stripped if "\n" not in text[:start] else text[: start + len(stripped)]
    first = re.match(r"\(|\w+", _without_comments(stripped))
    word = first[0].upper() if first else ""
    if word in _QUERIES:
        return Statement("select", "SELECT", tree_of(with_parameters(whole, parameters)))
    if word == "UNLOAD":
        return _unload(with_parameters(whole, parameters))
    if word == "CREATE" and _CTAS.match(_without_comments(stripped)):
        return _ctas(with_parameters(whole, parameters))
    if changed := _of_a_view(whole, stripped):
        return changed
    for name, pattern in _SHOWS.items():
        found = pattern.fullmatch(stripped)
        if found:
            return Statement("show", word, arguments=(name, *(_plain(one) for one in found.groups(""))))
    if word not in _KNOWN:
        raise refused(f"line 1:1: mismatched input '{word or stripped[:1]}'. Queries of this type are not supported")
    return Statement("other", word)


def _of_a_view(whole: str, stripped: str) -> Statement | None:
    """Return the statement that creates or drops a view, if it is one."""
    text = _without_comments(stripped)
    if made := _VIEW.match(text):
        start = len(whole) - len(text) + made.end()
        # Blanks keep the places of what stands in the query.
        query = tree_of(re.sub(r"[^\n]", " ", whole[:start]) + whole[start:])
        return Statement("view", "CREATE_VIEW", query, _named(made[2], made[1]), sql=whole[start:])
    dropped = _DROP_VIEW.fullmatch(text)
    return Statement("drop_view", "DROP_VIEW", arguments=_named(dropped[2], dropped[1])) if dropped else None


def _named(name: str, option: str | None) -> tuple[str, str, str]:
    database, _, table = _plain(name).rpartition(".")
    return database, table, "yes" if option else ""


def refused(message: str) -> AwsError:
    """Return the error for a query that Athena does not start."""
    return AwsError("InvalidRequestException", message)


def with_parameters(text: str, parameters: Sequence[str]) -> str:
    """Return a query with the literals of its parameters in the place of the question marks.

    Raises:
        AwsError: InvalidRequestException: there are more or fewer of them, or one is no literal.
    """
    marks = [token.start for token in _tokens(text) if token.text == "?" and _is_placeholder(token)]
    if len(marks) != len(parameters):
        raise refused(f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}")
    for mark, value in reversed(list(zip(marks, parameters, strict=True))):
        if not _is_literal(value):
            raise refused(f"the parameter {value} is no literal; a string stands in single quotes")
        text = f"{text[:mark]}{value}{text[mark + 1 :]}"
    return text


def _is_placeholder(token: Any) -> bool:
    return str(token.token_type).endswith("PLACEHOLDER")


def _is_literal(text: str) -> bool:
    sqlglot, exp = _sqlglot()
    try:
        found = sqlglot.parse_one(f"SELECT {text}", read="athena").expressions
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError):
        return False
    allowed = (exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Cast, exp.DataType, exp.DataTypeParam)
    return len(found) == 1 and all(isinstance(node, allowed) for node in found[0].walk())


def tree_of(text: str) -> Any:
    """Return the tree of one query.

    Raises:
        AwsError: InvalidRequestException.
    """
    sqlglot, _ = _sqlglot()
    try:
        found = [one for one in sqlglot.parse(text, read="athena") if one is not None]
    except sqlglot.errors.ParseError as error:
        raise _syntax_error(error) from None
    except sqlglot.errors.TokenError as error:
        raise refused(f"line 1:1: {_COLOURS.sub('', str(error))}") from None
    if len(found) != 1:
        raise refused("Only one sql statement is allowed. Got: " + text.strip())
    return found[0]


def _syntax_error(error: Any) -> AwsError:
    first = error.errors[0] if error.errors else {}
    wrong = str(first.get("highlight") or "<EOF>")
    column = max(int(first.get("col") or 1) - len(wrong) + 1, 1)
    return refused(
        f"line {first.get('line') or 1}:{column}: mismatched input '{wrong}'. {first.get('description', '')}"
    )


def _ctas(text: str) -> Statement:
    _, exp = _sqlglot()
    tree = tree_of(text)
    if (
        not isinstance(tree, exp.Create)
        or tree.args.get("kind") != "TABLE"
        or not isinstance(tree.expression, exp.Query)
    ):
        return Statement("other", "CREATE")
    properties = dict(_properties(tree.args.get("properties")))
    return Statement(
        "ctas",
        "CREATE_TABLE_AS_SELECT",
        tree.expression,
        (tree.this.db.lower(), tree.this.name.lower(), "exists" if tree.args.get("exists") else ""),
        properties,
    )


def _properties(node: Any) -> Iterator[tuple[str, Any]]:
    _, exp = _sqlglot()
    for one in node.expressions if node is not None else ():
        if isinstance(one, exp.FileFormatProperty):
            yield "format", one.name or one.this.sql()
        elif isinstance(one, exp.PartitionedByProperty):
            yield "partitioned_by", [item.name for item in one.this.expressions]
        elif isinstance(one, exp.WithDataProperty):
            yield "with_no_data", bool(one.args.get("no"))
        elif isinstance(one, exp.Property) and type(one) is exp.Property:
            value = one.args.get("value")
            yield one.name.lower(), [i.name for i in value.expressions] if isinstance(value, exp.Array) else value.name
        else:
            yield one.key, one.sql()


def _unload(text: str) -> Statement:
    """Take UNLOAD apart: the query in parentheses, and what follows it."""
    opened, depth = -1, 0
    for token in _tokens(text):
        if token.text == "(":
            opened = token.start if opened < 0 else opened
            depth += 1
        elif token.text == ")":
            depth -= 1
            if not depth:
                break
    else:
        raise refused("line 1:8: mismatched input '<EOF>'. Expecting: UNLOAD (SELECT …) TO '<s3 uri>' WITH (…)")
    rest = re.fullmatch(r"\s*TO\s+'([^']+)'\s+WITH\s*(\(.*\))\s*", text[token.end + 1 :], re.IGNORECASE | re.DOTALL)
    if rest is None:
        raise refused("line 1:8: mismatched input. Expecting: UNLOAD (SELECT …) TO '<s3 uri>' WITH (…)")
    # Blanks keep the places of what stands in the query.
    query = tree_of(re.sub(r"[^\n]", " ", text[: opened + 1]) + text[opened + 1 : token.start])
    options = tree_of(f"CREATE TABLE t WITH {rest[2]} AS SELECT 1")
    return Statement("unload", "UNLOAD", query, (), dict(_properties(options.args.get("properties"))), rest[1])


def _tokens(text: str) -> list[Any]:
    sqlglot, _ = _sqlglot()
    try:
        return list(sqlglot.tokenize(text, read="trino"))
    except sqlglot.errors.TokenError as error:
        raise refused(f"line 1:1: {_COLOURS.sub('', str(error))}") from None


def _without_comments(text: str) -> str:
    return re.sub(r"^(?:\s*(?:--[^\n]*\n|/\*.*?\*/))*\s*", "", text, flags=re.DOTALL)


def _plain(name: str) -> str:
    return name.replace("`", "").replace('"', "").lower()


@cache
def _sqlglot() -> tuple[Any, Any]:
    # Imported by the first query: the endpoint starts without it.
    import sqlglot
    from sqlglot import exp

    return sqlglot, exp
