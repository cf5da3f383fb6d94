"""A skipped group is printed with what it needs, and is a failure in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def run(folder: Path, ci: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    file = folder / "test_group.py"
    file.write_text(SKIPPED)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tests.conftest",
        *arguments,
        str(file),
    ]
    environment = os.environ | {"ONECARD_CI": ci, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("-n", "1")])
def test_a_skipped_group_names_its_package_and_fails_in_ci_only(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    here = run(tmp_path, "0", *arguments)
    assert here.returncode == 0, here.stdout
    assert "SKIPPED GROUP mariadb: 1 tests need Debian package mariadb-server" in here.stdout
    assert run(tmp_path, "1", *arguments).returncode == 1


def test_what_is_not_skipped_fails_nowhere(tmp_path: Path) -> None:
    assert run(tmp_path, "1", "-k", "test_without").returncode == 0
