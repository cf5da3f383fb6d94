"""What is installed: every file that the packages read is package data, and the container image gets all it copies."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("fhir_profiles", "terminology", "mappers", "server", "conformance")


def committed(*paths: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split("\n")[:-1]


def test_every_data_file_is_installed_with_its_package() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    data = [Path(name) for name in committed(*PACKAGES) if not name.endswith((".py", ".md"))]
    assert data
    missing = [str(path) for path in data if not any(fnmatch(path.name, pattern) for pattern in patterns)]
    assert missing == []


def test_the_image_copies_what_there_is_and_no_more() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    assert names == allowed
    assert all((ROOT / name).exists() for name in names)
    assert {*PACKAGES} <= names


def test_lock_files_hold_hashes_and_no_address() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text, path.name
        assert "--index" not in text, path.name
