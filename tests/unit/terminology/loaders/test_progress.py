"""Every loader tells how far it is while it reads, and at the end how many there were."""

from __future__ import annotations

from pathlib import Path

import pytest

from terminology.loaders.load import LOADERS, load
from tests.unit.terminology.loaders.releases import RELEASES, URL


def test_every_loader_is_tried() -> None:
    assert RELEASES.keys() == LOADERS.keys()


@pytest.mark.parametrize("system", RELEASES)
def test_progress_is_told_step_by_step(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminology.storage.BATCH", 10)
    told: list[int] = []
    url = None if LOADERS[system].url else URL
    outcome = load(system, RELEASES[system](36, tmp_path), tmp_path / "loaded", url=url, progress=told.append)
    assert (outcome.loaded.concepts, outcome.report.skipped) == (36, 0)
    assert told == [10, 20, 30, 36]
