"""An import of many rows needs no more memory than one of few: what grows with the rows would be seen here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from server.cli.sample import write_f43

SMALL, LARGE = 250, 1250
"""People; with so many, as many rows are on their way at a time as there ever are."""
ALLOWED = 1.15
"""Peak of the large import to that of the small one; 1.06 is measured, and 700 bytes kept of each row are as much."""


WATCHED = """
# Caches fill up at first, each to a bound of its own. Here they are as small as they go, in the workers too (a spawned
# worker runs this file again), so that nothing but what is kept of rows can grow.
import functools, resource, sys

def small(maxsize=128, typed=False, whole=functools.lru_cache):
    return whole(64, typed)(maxsize) if callable(maxsize) else whole(maxsize and min(maxsize, 64), typed)

functools.lru_cache = small
import server.store.embedded.driver as driver

def connect(path, *, create=False, cache=0, whole=driver.connect):
    return whole(path, create=create, cache=1)

driver.connect = connect
from fhir_profiles.fhirpath import automaton
from fhir_profiles.validation import sight_values
from server.intake.f43 import keys, run
from server.store.embedded import symbols

automaton.MAX_REMEMBERED = keys.REMEMBERED = run.REMEMBERED = symbols._LARGEST = 2000
sight_values.Memory.__init__.__defaults__ = (256 * 1024,)
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
    rows = write_f43(folder / "in.zip", people, 1, 1)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    (folder / "watched.py").write_text(WATCHED)
    command = [sys.executable, "watched.py"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return rows, sum(map(int, re.findall(r"^peak (\d+)$", done.stdout, re.MULTILINE)))


def test_memory_is_flat_while_rows_grow(tmp_path: Path) -> None:
    few, small = peak(tmp_path / "small", SMALL)
    many, large = peak(tmp_path / "large", LARGE)
    assert many > 4 * few
    assert large < ALLOWED * small, f"{few:,} rows: {small:,} KB; {many:,} rows: {large:,} KB"
