"""An import of many rows needs no more memory than one of few: what grows with the rows would be seen here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from server.cli.sample import write_f43

SMALL, LARGE = 30, 180
"""People; their rows are 1 to 6."""
ALLOWED = 1.25
"""Peak of the large import to that of the small one. Caches fill up at first; what is kept of each row would be five
times as much."""


WATCHED = """
import resource, sys
from server.cli import main
if __name__ == "__main__":
    code = main(["import", "f43", "in.zip", "--processes", "1"])
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        print("peak", resource.getrusage(who).ru_maxrss)
    sys.exit(code)
"""


def peak(folder: Path, people: int) -> tuple[int, int]:
    """(rows, peaks of resident memory in KB of the importing process and its worker together)."""
    folder.mkdir()
    rows = write_f43(folder / "in.zip", people, 1, 3)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", WATCHED]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return rows, sum(map(int, re.findall(r"^peak (\d+)$", done.stdout, re.MULTILINE)))


def test_memory_is_flat_while_rows_grow(tmp_path: Path) -> None:
    few, small = peak(tmp_path / "small", SMALL)
    many, large = peak(tmp_path / "large", LARGE)
    assert many > 5 * few
    assert large < ALLOWED * small, f"{few:,} rows: {small:,} KB; {many:,} rows: {large:,} KB"
