"""The commands of the documentation work as they are written: every line of a ```console block, page by page.

A line `$ command # exit 1` is expected to end with that code, every other one with 0. The id of an import stands for
the last one that a command told.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "```console\n" in page.read_text("utf-8"))
BARE = re.compile(r"(?:^|[|;&(]|\$ )\s*onecard\b", re.MULTILINE)
"""A command that a fresh checkout does not have on its path."""
SHELLS = ("sh", "bash", "console", "")
IMPORT = re.compile(r"(?:f43|f16|card|jhcis|hosxp|fhir)-\d{8}-\d{6}-[0-9a-f]{6}")


def commands(page: str) -> list[tuple[str, int]]:
    """(command, expected exit code) in the order of the page."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                command, _, code = line[2:].partition(" # exit ")
                found.append((command, int(code or 0)))
    return found


class Shell:
    """One bash session in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        command = folder / ".venv" / "bin" / "onecard"  # where `make setup` puts it, seen from a checkout
        command.parent.mkdir(parents=True, exist_ok=True)
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m server.cli "$@"\n')
        command.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ONECARD_")}
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=kept | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and what was told."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\necho; echo ended-with $?\n".replace("echo; echo", "code=$?; echo; echo"))
        self._process.stdin.flush()
        told = []
        for line in self._process.stdout:
            if line.startswith("ended-with "):
                break
            told.append(line)
        return self._code(), "".join(told)

    def _code(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("echo $code\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def run_page(text: str, folder: Path) -> None:
    shell = Shell(folder)
    last = ""
    try:
        for command, expected in commands(text):
            code, told = shell.run(IMPORT.sub(last, command) if last else command)
            assert code == expected, f"$ {command}\n{told[-2000:]}"
            last = (IMPORT.findall(told) or [last])[-1]
    finally:
        shell.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_the_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    text = page.read_text("utf-8")
    assert commands(text)
    run_page(text, tmp_path)


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not-a-command"):
        run_page("```console\n$ .venv/bin/onecard not-a-command\n```\n", tmp_path)
    with pytest.raises(AssertionError):
        run_page("```console\n$ true # exit 1\n```\n", tmp_path)


def bare_commands(page: str) -> list[str]:
    """Lines of shell blocks that call `onecard` as if it were on the path."""
    found = []
    language: str | None = None
    for line in page.splitlines():
        if line.startswith("```"):
            language = line[3:] if language is None else None
        elif language in SHELLS and BARE.search(line):
            found.append(line)
    return found


@pytest.mark.parametrize("page", [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")], ids=lambda page: page.stem)
def test_every_command_can_be_pasted_from_a_fresh_checkout(page: Path) -> None:
    assert bare_commands(page.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "line", ["onecard serve", "$ onecard serve", "B=$(onecard identity)", "cat x | onecard import"]
)
def test_a_bare_command_is_seen(line: str) -> None:
    assert bare_commands(f"```sh\n{line}\n```\n") == [line]
    assert bare_commands(f"```sh\n{line.replace('onecard', '.venv/bin/onecard')}\n```\n") == []
