"""What a manifest says of a prediction file, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analysis.publishing.places import Places
from analysis.publishing.table import Table
from analysis.runtime import drift
from analysis.runtime.names import HISTORY_GAP
from analysis.runtime.streams import GeneratedFile
from analysis.runtime.upload import Claim


@dataclass(frozen=True)
class Maker:
    """What has predicted: a version with profile, approval status and evaluation ("" for none), in an execution."""

    model_package_arn: str
    execution_arn: str
    profile: str
    model_status: str
    metrics_uri: str


@dataclass(frozen=True)
class Publication:
    """What is published where: predictions of an upload by their maker.

    document: the quality.json of the file, or the evaluation.json of a training, empty where there is none. evaluation:
    of the version, empty where it has none.
    """

    claim: Claim
    places: Places
    maker: Maker
    document: Mapping[str, Any]
    evaluation: Mapping[str, Any]

    @property
    def drift(self) -> drift.Block | None:
        """The block `drift`; None where it has none, as those of earlier versions."""
        return dict(block) if (block := self.document.get("drift")) else None

    @property
    def never_known(self) -> list[str]:
        """The columns that the version needs and nobody knows in advance, as far as its evaluation says."""
        registration = self.evaluation.get("registration")
        said = registration.get("scores_new_rows") if isinstance(registration, Mapping) else None
        answer, _, names = str(said).partition(":")
        return names.split() if answer == "no" else []


def manifest_of(publication: Publication, table: Table, file: GeneratedFile) -> dict[str, Any]:
    """Return the manifest of a file that was put, with its rows, checksum and origin."""
    claim, measured = publication.claim, publication.drift
    return {
        "predictions": publication.places.table,
        "report": publication.places.page,
        "rows": table.rows,
        "row_roles": table.roles,
        "outcomes": {"known": table.known, "awaited": table.awaited},
        "first_label": table.first,
        "last_label": table.last,
        "extrapolated": table.extrapolated,
        HISTORY_GAP: table.gaps,
        "never_known": publication.never_known,
        "drift": measured and drift.summary(measured),
        "bytes": file.size,
        "sha256": file.sha256,
        "columns": table.columns,
        "source": {
            **{name: getattr(claim, name) for name in ("bucket", "key", "version_id", "identity")},
            **({"schedule": claim.schedule} if claim.schedule else {}),
        },
        "uploaded_at": claim.uploaded_at,
        **asdict(publication.maker),
    }


def in_words(manifest: dict[str, Any]) -> str:
    """Say how many predictions there are, and how many of them are extrapolated, have a history gap or have drifted."""
    outside = f", {manifest['extrapolated']} of them outside the training ranges" if manifest["extrapolated"] else ""
    gaps = manifest[HISTORY_GAP]
    older = f", {gaps['rows']} from values that are up to {gaps['largest']} too old" if gaps and gaps["rows"] else ""
    drifted = (manifest["drift"] or {}).get("drifted")
    return f"{manifest['rows']} predictions{outside}{older}" + (f"; drifted: {', '.join(drifted)}" if drifted else "")
