from __future__ import annotations

from analysis.ingestion.progress import Progress, in_words


def test_how_far_it_is_in_words() -> None:
    assert in_words(12_300, 0.25, 20.0) == "12,300 records written, 615 a second, about 0:01:00 left"
    assert in_words(0, 0.5, 20.0) == "0 records written, 0 a second"


def test_it_is_said_every_few_seconds(capsys) -> None:
    progress = Progress(lambda: 10, lambda: 0.5)
    progress.tick()
    assert capsys.readouterr().out == ""
    progress.started -= 10
    progress._said -= 10
    progress.tick()
    progress.tick()
    assert capsys.readouterr().out == "ingest: 10 records written, 1 a second, about 0:00:10 left\n"
