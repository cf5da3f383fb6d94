"""What control groups are told, of either version. That they hold, a run of the bench with --share shows."""

from __future__ import annotations

import os
from pathlib import Path

from conformance.bench.processes import rationed


def test_the_first_version_gets_a_quota_and_a_period_for_each_process(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    with rationed([os.getpid(), 7], 0.2, tmp_path):
        own = tmp_path / "cpu" / f"onecard-bench-{os.getpid()}"
        assert (own / "cpu.cfs_quota_us").read_text() == "1000"
        assert (own / "cpu.cfs_period_us").read_text() == "5000"
        assert (own / "cgroup.procs").read_text() == str(os.getpid())
        assert (tmp_path / "cpu" / "onecard-bench-7" / "cgroup.procs").read_text() == "7"
    assert (tmp_path / "cpu" / "cgroup.procs").read_text() == "7", "they go back where they were"


def test_the_second_version_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    with rationed([os.getpid()], 0.25, tmp_path):
        assert (tmp_path / f"onecard-bench-{os.getpid()}" / "cpu.max").read_text() == "1000 4000"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu"
    assert (tmp_path / "cgroup.procs").read_text() == str(os.getpid())
