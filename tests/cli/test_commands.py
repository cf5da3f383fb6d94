"""The command line itself: every command is listed, documented, quick to list, and says what it refuses."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli import COMMANDS, main
from server.cli.token import expiry
from tests.cli.serving import onecard

DAY = 86_400_000


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module_help_in_both_languages_and_a_page(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS[name]
    module = importlib.import_module(command.module)
    module.add_arguments(argparse.ArgumentParser())
    assert callable(module.run)
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert command.english in text
    assert re.search("[ก-๛]", command.thai)
    docs = "".join(path.read_text("utf-8") for path in [Path("README.md"), *Path("docs").glob("**/*.md")])
    assert f"onecard {name}" in docs


def test_the_list_of_commands_loads_none_of_them() -> None:
    script = """
import sys
from server.cli import main
try:
    main(["--help"])
except SystemExit:
    print([name for name in sys.modules if name.startswith(("aiohttp", "fhir_profiles", "server."))])
"""
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "['server.cli']" in shown
    for name in COMMANDS:
        assert f"  {name} " in shown


def test_a_file_that_cannot_be_used_is_named_without_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "quarantine" / "import-1.ndjson"
    file.mkdir(parents=True)
    assert main(["quarantine", "list", "--data-folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"onecard: {file}: Is a directory / ใช้แฟ้มหรือโฟลเดอร์นี้ไม่ได้\n"


def test_who_reads_only_the_beginning_of_a_list_gets_no_trace(tmp_path: Path) -> None:
    script = f"{sys.executable} -m server.cli import jhcis - --show-tables | head -1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    ended = onecard("sevre", cwd=tmp_path)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_the_version_is_told(tmp_path: Path) -> None:
    assert re.fullmatch(r"onecard \d+\.\d+\.\d+\n", onecard("--version", cwd=tmp_path).stdout)


def test_the_life_of_a_token(tmp_path: Path) -> None:
    added = onecard("token", "add", "his-11111", "--expires", "30d", "--read-only", cwd=tmp_path)
    assert added.returncode == 0
    assert re.fullmatch(r"onecard_[A-Za-z0-9_-]{43}\n", added.stdout)
    listed = onecard("token", "list", cwd=tmp_path).stdout
    assert re.fullmatch(r"his-11111\tread-only\texpires \S+Z\n", listed)
    assert added.stdout.strip() not in listed
    twice = onecard("token", "add", "his-11111", cwd=tmp_path)
    assert (twice.returncode, twice.stdout) == (2, "")
    assert "already" in twice.stderr
    assert onecard("token", "revoke", "his-11111", cwd=tmp_path).returncode == 0
    assert onecard("token", "revoke", "his-11111", cwd=tmp_path).returncode == 2
    assert onecard("token", "list", cwd=tmp_path).stdout == ""


def test_a_data_folder_that_cannot_be_written_is_refused_in_plain_words(tmp_path: Path) -> None:
    done = onecard("token", "add", "a", "--data-folder", "/proc/nobody", cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "the tokens cannot be written: /proc/nobody: No such file or directory" in done.stderr


@pytest.mark.parametrize("kind", ["f43", "fhir"])
def test_an_import_whose_data_folder_cannot_be_written_is_refused_in_plain_words(kind: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "VILLAGE.txt").write_text("HOSPCODE|VID|D_UPDATE\r\n99999|99990109|25670115090000\r\n")
    file = "bad.json" if kind == "fhir" else "VILLAGE.txt"
    store = ("--store", "sqlite:///s.db", "--data-folder", "/proc/nobody")
    done = onecard("import", kind, file, *store, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert "No such file or directory: '/proc/nobody" in done.stderr


def test_tokens_live_in_the_data_folder_of_the_settings(tmp_path: Path) -> None:
    assert onecard("token", "add", "a", cwd=tmp_path, env={"ONECARD_DATA_FOLDER": "elsewhere"}).returncode == 0
    assert (tmp_path / "elsewhere" / "tokens.json").exists()
    assert onecard("token", "list", "--data-folder", "elsewhere", cwd=tmp_path).stdout.startswith("a\t")


@pytest.mark.parametrize(
    ("text", "ends"),
    [("1d", DAY), ("12h", DAY // 2), ("30m", 1_800_000), ("1970-01-02", DAY), ("1970-01-02T07:00:00+07:00", DAY)],
)
def test_an_expiry_is_a_time_from_now_or_a_date(text: str, ends: int) -> None:
    assert expiry(text, 0) == ends


@pytest.mark.parametrize("text", ["", "soon", "1y", "-1d", "0d", "1970-01-01"])
def test_an_expiry_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--expires"):
        expiry(text, 1000)
