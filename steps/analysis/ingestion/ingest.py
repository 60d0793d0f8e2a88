"""Feature files into their feature groups, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from analysis.ingestion.calls import BatchWriter
from analysis.ingestion.delivery import Delivery
from analysis.ingestion.feature_file import FeatureFile, Misfit
from analysis.ingestion.left_out import LeftOut
from analysis.ingestion.progress import Progress
from analysis.ingestion.records import Record, RecordForm
from analysis.ingestion.sharing import Share
from analysis.runtime.errors import IngestError
from analysis.runtime.project import NAME


@dataclass(frozen=True)
class Target:
    """A file, and the feature group that gets its rows."""

    file: FeatureFile
    group: str


@dataclass(frozen=True)
class Result:
    """What became of the files.

    written: records, of each file in turn. stop: why writing has ended early.
    """

    targets: Sequence[Target]
    written: Sequence[int]
    left_out: LeftOut
    stop: str | None

    def in_words(self) -> str:
        """Say how many records of how many are written, or raise IngestError where a file has no rows."""
        if empty := [target.file.path.name for target in self.targets if not target.file.read]:
            raise IngestError(f"{' and '.join(empty)}: no rows. Write the files again with preprocess.py.")
        places = zip(self.targets, self.written, strict=True)
        text = ", ".join(f"{count:,} from {target.file.path.name} in {target.group}" for target, count in places)
        return f"{sum(self.written):,} of {sum(self.written) + self.left_out.count:,} records are written: {text}"

    def check(self, most_left_out: int) -> None:
        """Raise IngestError where writing has ended early, or more records were left out than may be."""
        words, missing = self.in_words(), self.left_out
        if missing.count <= most_left_out and self.stop is None:
            return
        more = f"; and {missing.count - len(missing.shown):,} more" if missing.count > len(missing.shown) else ""
        why = f"{self.stop[0].upper()}{self.stop[1:]}. " if self.stop else ""
        raise IngestError(
            f"{why}{words}. {missing.count:,} are left out ({missing.path.name} has them all): "
            f"{'; '.join(missing.shown)}{more}. Writing again is safe (same event time, same content): once the cause "
            f"is fixed, run {NAME} retry."
        )


@dataclass(frozen=True)
class Ingestion:
    """How files are written.

    client: of the Feature Store runtime. event_time: of every record. workers: calls at the same time. deadline: moment
    of time.monotonic(). stores: of each group's, by default all.
    """

    client: Any
    event_time: str
    workers: int
    deadline: float
    share: Share = field(default_factory=Share)
    stores: Sequence[str] = ()

    def run(self, targets: Sequence[Target], left_out: LeftOut) -> Result:
        """Write the files; `left_out` gets what is not written."""
        deliveries: list[Delivery] = []
        progress = Progress(
            lambda: sum(delivery.written for delivery in deliveries),
            lambda: sum(target.file.read for target in targets) / sum(target.file.size for target in targets),
        )
        stop = None
        for target in targets:
            add = partial(left_out.add, target.file.path.name, target.group)
            write = BatchWriter(self.client, target.file.identifier)
            delivery = Delivery(write, self.workers, self.deadline, add, progress.tick, stop=stop)
            deliveries.append(delivery)
            delivery.deliver(self._records(target, add))
            stop = delivery.stop
        return Result(targets, [delivery.written for delivery in deliveries], left_out, stop)

    def _records(self, target: Target, add: Callable[[Record | Misfit, str], None]) -> Iterator[Record]:
        file = target.file
        form = RecordForm(file.columns, target.group, file.identifier, self.event_time, self.stores)
        for row in file.records(form, self.share):
            if isinstance(row, Record):
                yield row
            else:
                add(row, row.reason)
