"""The blocks of docs/his.md about live databases, as they are written: the driver, the accounts, the imports.

Only what the page cannot know is changed: addresses, the name of HOSxP's database, and `...` for a password. The
password goes to `read -rs` as somebody would type it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.his.servers import PASSWORD, Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/his.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|sql)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(DRIVER, IMPORTS) = (text for language, text in BLOCKS if language == "sh")
(MYSQL, POSTGRESQL) = (text for language, text in BLOCKS if language == "sql")
MYSQL_ACCOUNT = "'onecard'@'127.0.0.1'"


def test_every_block_of_these_languages_is_run_here() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "sql", "sql", "sh"]
    assert [line.split()[:3] for line in IMPORTS.splitlines()] == [
        ["read", "-rs", "HIS_PASSWORD"],
        [".venv/bin/onecard", "import", "jhcis"],
        [".venv/bin/onecard", "import", "hosxp"],
        [".venv/bin/onecard", "import", "hosxp"],
    ]


def shell(folder: Path, text: str, **more: str) -> str:
    """What a bash in the folder tells; commands after one that fails are not run. Raises: AssertionError."""
    command = folder / ".venv/bin/onecard"
    command.parent.mkdir(parents=True, exist_ok=True)
    for name, words in (("onecard", f'"{sys.executable}" -m server.cli'), ("python", f'"{sys.executable}"')):
        (command.parent / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (command.parent / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONECARD_", "HIS_"))}
    done = subprocess.run(
        ["bash", "--norc", "-e"],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | more,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout


def test_the_driver_is_installed_by_its_locked_requirements(tmp_path: Path) -> None:
    """Nothing is fetched: what the lock names is what these tests run with."""
    (tmp_path / "requirements").symlink_to(ROOT / "requirements")
    assert "already satisfied" in shell(tmp_path, DRIVER, PIP_NO_INDEX="1")


def imported(folder: Path, line: int, page: str, here: str) -> str:
    """What one of the imports of the page tells, after the password was typed."""
    typed, command = IMPORTS.splitlines()[0], IMPORTS.splitlines()[line]
    assert page in command
    return shell(folder, f"{typed}\n{PASSWORD}\n{command.replace(page, here)}\n")


@pytest.mark.mariadb
def test_jhcis_and_hosxp_on_mariadb_with_the_account_of_the_page(
    jhcis: Server, hosxp_mysql: Server, tmp_path: Path
) -> None:
    account = MYSQL.replace("'onecard'@'10.0.0.5'", MYSQL_ACCOUNT).replace("'...'", f"'{PASSWORD}'")
    jhcis.sql(account + account.splitlines()[-1].replace("jhcisdb.", "hosxp."))
    try:
        told = imported(tmp_path, 1, "10.0.0.5:3333/jhcisdb", f"127.0.0.1:{jhcis.port}/jhcisdb")
        assert re.search(r"PERSON +12 rows +12 in", told), told
        told = imported(tmp_path, 2, "10.0.0.6/hos ", f"127.0.0.1:{jhcis.port}/hosxp ")
        assert re.search(r"PERSON +9 rows +9 in", told), told
    finally:
        jhcis.sql(f"DROP USER {MYSQL_ACCOUNT};")


@pytest.mark.postgresql
def test_hosxp_on_postgresql_with_the_account_of_the_page(hosxp_postgresql: Server, tmp_path: Path) -> None:
    hosxp_postgresql.sql(POSTGRESQL.replace("'...'", f"'{PASSWORD}'"), "hosxp")
    try:
        told = imported(tmp_path, 3, "10.0.0.6/hos ", f"127.0.0.1:{hosxp_postgresql.port}/hosxp ")
        assert re.search(r"PERSON +9 rows +9 in", told), told
    finally:
        hosxp_postgresql.sql("DROP OWNED BY onecard; DROP ROLE onecard;", "hosxp")


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not-a-command"):
        shell(tmp_path, ".venv/bin/onecard not-a-command\n")
