"""`onecard terminology`: from a publisher's file to an answer of the server."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shlex
import urllib.parse
from pathlib import Path

import pytest

from server.cli.terminology import add_arguments
from terminology.loaders.load import LOADERS
from tests.cli.serving import onecard, serve
from tests.unit.terminology.loaders.releases import RELEASES

URL = "https://hospital.example/beds"
TABLE = "code,display,display_th\nw,Ward,หอผู้ป่วย\n,lost,\ni,ICU,ไอซียู\n"


def load(folder: Path, *more: str) -> tuple[int, str, str]:
    (folder / "beds.csv").write_text(TABLE, encoding="utf-8")
    ended = onecard("terminology", "load", "csv", "beds.csv", "--url", URL, "--version", "1", *more, cwd=folder)
    return ended.returncode, ended.stdout, ended.stderr


def test_a_table_is_loaded_listed_and_removed(tmp_path: Path) -> None:
    code, out, _ = load(tmp_path, "--json")
    assert code == 0
    assert json.loads(out) == {
        "url": URL,
        "version": "1",
        "file": "hospital-example-beds-1.concepts",
        "concepts": 2,
        "duplicates": 0,
        "unknownParents": 0,
        "skipped": 1,
        "reasons": ["beds.csv, row 3: no code"],
    }
    assert (tmp_path / "data" / "terminology" / "hospital-example-beds-1.concepts").exists()
    listed = onecard("terminology", "list", cwd=tmp_path)
    assert listed.stdout == f"{URL}|1  2 codes  table  hospital-example-beds-1.concepts\n"
    removed = onecard("terminology", "remove", "hospital-example-beds-1.concepts", cwd=tmp_path)
    assert removed.returncode == 0
    assert onecard("terminology", "list", "--json", cwd=tmp_path).stdout == "[]\n"


def test_the_summary_for_a_person(tmp_path: Path) -> None:
    code, out, err = load(tmp_path)
    assert code == 0
    assert "2 codes of table" in out
    assert "1 rows left out" in out
    assert "row 3: no code" in out
    assert "csv" in err  # the progress bar


@pytest.mark.parametrize("system", RELEASES)
def test_every_loader_shows_its_progress(tmp_path: Path, system: str) -> None:
    source = RELEASES[system](36, tmp_path)
    more = () if LOADERS[system].url else ("--url", URL)
    ended = onecard("terminology", "load", system, str(source), *more, "--json", cwd=tmp_path)
    assert (ended.returncode, json.loads(ended.stdout)["concepts"]) == (0, 36)
    assert re.search(rf"{system}: +36\.?0? codes", ended.stderr), ended.stderr


def test_what_cannot_be_loaded_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    for arguments, reason in (
        (("load", "tmlt", "sheet.xlsx"), "save each sheet as 'CSV UTF-8'"),
        (("load", "icd-10", "none.xml"), "does not exist"),
        (("remove", "../secret"), "is not one of those"),
    ):
        ended = onecard("terminology", *arguments, cwd=tmp_path)
        assert ended.returncode == 2
        assert reason in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_broken_file_stops_the_start_with_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "terminology"
    folder.mkdir(parents=True)
    (folder / "x.concepts").write_bytes(b"nonsense")
    ended = onecard("serve", "--open", "--port", "0", cwd=tmp_path)
    assert ended.returncode == 2
    assert "x.concepts is not a file of concepts" in ended.stderr
    assert "Traceback" not in ended.stderr


DOCS = Path(__file__).parent.parent.parent / "docs" / "terminology.md"


def commands(start: str) -> list[list[str]]:
    """The commands of the page that begin with a word, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith(start + " ")]


def test_the_server_answers_from_a_loaded_system_and_as_the_page_shows(tmp_path: Path) -> None:
    load(tmp_path)
    served = serve(tmp_path, "--open")
    try:
        status, body, _ = served.request(f"/fhir/CodeSystem/$lookup?system={URL}&code=w&displayLanguage=th")
        answer = json.loads(body)
        assert (status, answer["parameter"][2]) == (200, {"name": "display", "valueString": "หอผู้ป่วย"})
        examples = commands("curl")
        assert len(examples) == 3
        for example in examples:
            status, body, _ = served.request(path_of(example))
            assert status == 200, body
            answer = json.loads(body)
            assert answer.get("expansion", {}).get("contains") or answer.get("parameter"), answer
    finally:
        served.stop()
        assert served.process.stdout is not None
        served.process.stdout.close()


def path_of(curl: list[str]) -> str:
    """Path and query that `curl -G URL --data-urlencode a=b` asks for."""
    (url,) = (word for word in curl if word.startswith("http://127.0.0.1:8080/"))
    pairs = [word.split("=", 1) for before, word in itertools.pairwise(curl) if before == "--data-urlencode"]
    query = urllib.parse.urlencode([(name, value) for name, value in pairs])
    return url.removeprefix("http://127.0.0.1:8080") + (f"?{query}" if query else "")


def test_the_page_names_every_system_that_can_be_loaded() -> None:
    shown = commands(".venv/bin/onecard terminology load")
    assert {line[3] for line in shown} == set(LOADERS)
    for line in shown:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        parser.parse_args(line[2:])
