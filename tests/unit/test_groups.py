"""A skipped group is printed with what it needs, and is a failure in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

SKIPPED = """
import pytest

@pytest.mark.mariadb
@pytest.mark.skipif(True, reason="not here")
def test_with_a_database():
    pass

def test_without():
    pass
"""


# Plugins that take seconds to load and do nothing here.
LEAN = ("-p", "no:schemathesis", "-p", "no:hypothesispytest")


def run(folder: Path, ci: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = folder / "test_group.py"
    file.write_text(SKIPPED)
    command = [sys.executable, "-m", "pytest", *LEAN, "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest"]
    environment = os.environ | {"ONECARD_CI": ci, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, *arguments, str(file)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_a_skipped_group_names_its_package_and_fails_in_ci_only(tmp_path: Path) -> None:
    here = run(tmp_path, "0")
    assert here.returncode == 0, here.stdout
    assert "SKIPPED GROUP mariadb: 1 tests need Debian package mariadb-server" in here.stdout
    # As `make test` runs it: the workers of pytest-xdist report to the process that decides.
    assert run(tmp_path, "1", "-n", "1").returncode == 1
