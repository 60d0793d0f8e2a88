"""The page beside a prediction file: one HTML file that holds all it needs, and opens from disk and from S3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.publishing.chart import MOST_BARS, chart
from analysis.publishing.findings import Expected, Finding, findings_of
from analysis.publishing.markup import Html, element, foreign, joined
from analysis.publishing.observed import Errors, Observed
from analysis.publishing.words import Words, figure, share
from analysis.runtime.names import NEW, TESTED, TRAINED

CONTENT_TYPE = "text/html; charset=utf-8"
_STYLE = Path(__file__).parent / "page.css"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MOST_FEATURES = 20
_CHART = "chart"
_NOISE = 1e-9


@dataclass(frozen=True)
class Scored:
    """What a page is about. document: quality.json, or evaluation.json of a training, as far as there is one."""

    manifest: Mapping[str, Any]
    document: Mapping[str, Any]
    words: Words
    observed: Observed
    expected: Expected | None

    @property
    def drift(self) -> Mapping[str, Any] | None:
        """The block `drift`."""
        block = self.document.get("drift")
        return block if isinstance(block, Mapping) else None


def page(scored: Scored) -> bytes:
    """Return the page; the same file gives the same bytes."""
    manifest, words = scored.manifest, scored.words
    source = manifest["source"]["key"]
    findings = findings_of(manifest, words, scored.observed, scored.expected, scored.drift)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("link", rel="icon", href="data:,"),
        element("title", f"Predictions: {source}"),
        # Our own file, not data.
        element("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    body = element(
        "body",
        element("header", *_heading(scored)),
        element(
            "main",
            _tiles(scored),
            _trust(findings),
            *_figure(scored),
            *_known(scored),
            *_drift(scored),
            _origin(scored),
        ),
        element("footer", element("p", "Made when the predictions were published; needs no network.")),
    )
    return joined([Html("<!doctype html>\n"), element("html", head, body, lang="en")]).encode()


def _heading(scored: Scored) -> list[Html]:
    manifest, words = scored.manifest, scored.words
    version = manifest["model_package_arn"].rpartition("/")[2]
    name = manifest["source"]["key"].rpartition("/")[2]
    title = joined([f"{words.title}: " if words.title else "", f"predictions, profile {manifest['profile']}"])
    return [
        element("p", title, class_="eyebrow"),
        element("h1", foreign(name)),
        element(
            "p",
            f"{words.count(manifest['rows'])}, predicted by version ",
            foreign(version),
            f" of the model ({_status(manifest)}). The file was uploaded at ",
            _moment(manifest["uploaded_at"]),
            ".",
            class_="lead",
        ),
    ]


def _status(manifest: Mapping[str, Any]) -> str:
    known = {"PendingManualApproval": "not approved yet", "Approved": "approved", "Rejected": "rejected"}
    return known.get(manifest["model_status"], str(manifest["model_status"]).lower() or "status unknown")


def _moment(written: str) -> Html:
    return element("bdi", f"{written[:10]} {written[11:19]} UTC")


def _tile(title: str, value: str, note: str) -> Html:
    return element("div", element("dt", title), element("dd", value, element("small", note)))


def _tiles(scored: Scored) -> Html:
    observed, words, expected = scored.observed, scored.words, scored.expected
    rows = max(observed.rows, 1)
    tiles = [_tile(f"{words.rows[:1].upper()}{words.rows[1:]} predicted", f"{observed.rows:,}", words.target)]
    if observed.rows:
        span = f"{figure(observed.lowest)} to {figure(observed.highest)}"
        tiles.append(_tile("Mean prediction", figure(observed.total / rows), f"{span} {words.units}"))
        tiles.append(
            _tile(
                "95 % interval", f"± {figure(observed.width / rows / 2)}", f"on average, {words.units or 'in its unit'}"
            )
        )
    if expected is not None and not scored.manifest["never_known"]:
        seen = "to come" if expected.to_come else "that it had not seen"
        tiles.append(_tile("Expected error (MAE)", figure(expected.mae), f"on {words.rows} {seen}"))
    outside = scored.manifest["extrapolated"]
    note = "not known" if outside is None else f"{share(outside / rows)} of the {words.rows}"
    tiles.append(_tile("Extrapolated", figure(outside), note))
    return element("dl", *tiles, class_="tiles")


def _section(name: str, title: str, *content: str) -> Html:
    return element("section", element("h2", title, id=f"{name}-h"), *content, id=name, aria_labelledby=f"{name}-h")


def _trust(findings: Sequence[Finding]) -> Html:
    items = [
        element(
            "li",
            element("span", one.tone, class_="tag"),
            element("h3", one.title),
            element("p", one.says),
            class_=one.tone,
        )
        for one in findings
    ]
    return _section("trust", "How far to trust them", element("ul", *items, class_="findings"))


def _figure(scored: Scored) -> list[Html]:
    observed, words = scored.observed, scored.words
    points = observed.buckets.points()
    if not points:
        return []
    largest = max(point.count for point in points)
    order = "in the order of their times" if observed.timed else "in the order of their predictions, the lowest first"
    single = len(points) <= MOST_BARS
    each = (
        f"Each point is the mean of up to {words.count(largest)}" if largest > 1 else f"Each point is one {words.row}"
    )
    about = f"{words.count(observed.rows)} {order}. {each}. " if observed.rows > 1 else ""
    about += f"{words.target[:1].upper()}{words.target[1:]}"
    about += f", in {words.units}." if words.units else "."
    drawn = {
        "predicted": ("prediction", True),
        "interval": ("95 % interval", True),
        "known": ("actual value", any(point.known for point in points)),
        "outside" if single else "rug": (
            "outside the training ranges" + ("" if single else " (below)"),
            any(point.extrapolated for point in points),
        ),
    }
    legend = [
        element("li", element("span", class_=f"key {kind}"), name)
        for kind, (name, is_there) in drawn.items()
        if is_there
    ]
    if largest > 1 and observed.errors:
        about += (
            f" Means vary less than single {words.rows}: how many of those lie inside their interval is said below."
        )
    svg = chart(points, timed=observed.timed, title="Predictions with their 95 % intervals", description=about)
    return [
        _section(
            _CHART,
            "The predictions",
            element("ul", *legend, class_="legend"),
            element("figure", svg, element("figcaption", about)),
        )
    ]


def _table(label: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """Return a table that scrolls by itself where the screen is narrow; the first column names the row."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = [
        element("tr", element("th", cells[0], scope="row"), *(element("td", cell) for cell in cells[1:]))
        for cells in rows
    ]
    table = element("table", element("thead", head), element("tbody", *body))
    return element("div", table, class_="scroll", role="region", aria_label=label, tabindex="0")


def _known(scored: Scored) -> list[Html]:
    words, observed, expected = scored.words, scored.observed, scored.expected
    kinds = (
        ("it had not seen", (NEW, TESTED)),
        ("it was trained on", (TRAINED,)),
    )
    measured = [(name, found) for name, roles in kinds if (found := observed.errors_of(*roles)) is not None]
    if not measured:
        return []
    rows = [_errors(f"{words.rows[:1].upper()}{words.rows[1:]} that {name}", found) for name, found in measured]
    if expected is not None:
        rows.append(
            [
                "Expected of the version",
                f"{expected.rows:,}",
                *(figure(value) for value in (expected.mae, expected.rmse)),
                "\N{EN DASH}",
                share(expected.coverage),
            ]
        )
    header = ["", words.rows[:1].upper() + words.rows[1:], "MAE", "RMSE", "Mean error", "Inside the interval"]
    says = "Actual minus predicted values, where the file has actual values"
    caption = element("p", f"{says}; in {words.units}." if words.units else f"{says}.", class_="caption")
    return [_section("known", "Beside the actual values", caption, _table("Errors", header, rows))]


def _errors(name: str, found: Errors) -> list[str]:
    # Beside the errors of training rows, whose sum is 0, what is left of the arithmetic looks like a number.
    bias = found.bias if abs(found.bias) > _NOISE * found.mae else 0.0
    return [name, f"{found.rows:,}", figure(found.mae), figure(found.rmse), figure(bias), share(found.coverage)]


def _drift(scored: Scored) -> list[Html]:
    drift, words = scored.drift, scored.words
    if drift is None or drift["status"] != "compared":
        return []
    features = drift["features"]
    rows = [
        [
            foreign(one["feature"]),
            f"{one['psi']:.3f}",
            f"{one['chance']:.3f}",
            share(one["unseen"]),
            f"{share(one['missing_in_training'])}, {share(one['missing'])}",
            element("span", "drifted", class_="warn") if one["drifted"] else "as before" if one["used"] else "not used",
        ]
        for one in features[:_MOST_FEATURES]
    ]
    counts = drift["rows"]
    # A training is compared with the version that was approved before.
    whose = "the approved model" if "validation" in scored.document else "the model"
    says = (
        f"{words.count(counts['file'])} of this file beside the {counts['training']:,} that {whose} was trained on. "
        "The population stability index (PSI) of a feature is 0 where both are distributed alike. A feature that "
        f"predictions depend on has drifted where it is above {drift['threshold']:g} and above what chance explains."
    )
    left = len(features) - len(rows)
    more = (
        [element("p", f"{left} more features with a smaller PSI are left out here.", class_="caption")] if left else []
    )
    header = ["Feature", "PSI", "By chance below", "Unseen", "Empty then, now", "Verdict"]
    return [_section("drift", "Drift", element("p", says), _table("Drift of each feature", header, rows), *more)]


def _origin(scored: Scored) -> Html:
    manifest, words = scored.manifest, scored.words
    read = scored.document.get("rows") or (scored.document.get("data") or {}).get("rows") or {}
    facts: list[tuple[str, Html]] = [
        ("File", foreign(f"s3://{manifest['source']['bucket']}/{manifest['source']['key']}", 1200)),
        ("Version of the file", foreign(manifest["source"]["version_id"])),
        ("Uploaded", joined([manifest["uploaded_at"]])),
        (
            "Rows",
            joined([f"{read['read']:,} read, {read['used']:,} used" if read.get("read") else f"{manifest['rows']:,}"]),
        ),
        ("Predictions", element("code", f"{manifest['predictions']}")),
        ("SHA-256 of them", element("code", manifest["sha256"])),
        ("Model package", element("code", manifest["model_package_arn"])),
        ("Its status then", joined([manifest["model_status"] or "unknown"])),
        ("Profile", joined([manifest["profile"]])),
        ("Execution", element("code", manifest["execution_arn"])),
    ]
    listed = [element("dt", name) + element("dd", value) for name, value in facts]
    limits = (
        [element("p", element("b", "What the model can't do: "), words.limits, class_="after")] if words.limits else []
    )
    return _section("origin", "Origin", element("dl", *map(Html, listed), class_="facts"), *limits)
