"""`onecard backup`, `restore` and `store copy`: all versions come back equal, and nothing is written over."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from pymongo import MongoClient

from server.cli import main
from server.store.contract import Scope
from tests import mongod
from tests.cli.serving import onecard
from tests.nickname import nickname_parameter
from tests.serving import ENGINES, Client, Running
from tests.unit.server.intake.importing import person, zip_of


async def history_of(server: Running) -> list[Any]:
    history = await server.ctx.store.history(Scope(), limit=1000)
    return [(v.type, v.id, v.version, v.last_updated, v.method, v.body) for v in history.versions]


@pytest.fixture
async def stored(server: Running, fhir: Client) -> Running:
    """Three resources with histories, one of them deleted."""
    await fhir.put("Patient/1", {"resourceType": "Patient", "id": "1", "birthDate": "2000-01-01"})
    await fhir.put("Patient/1", {"resourceType": "Patient", "id": "1", "birthDate": "2001-01-01"})
    await fhir.put("Patient/2", {"resourceType": "Patient", "id": "2"})
    await fhir.delete("Patient/2")
    observation = {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}}
    quantity = '{"value":1.00,"unit":"mg"}'
    body = str({**observation, "subject": {"reference": "Patient/1"}}).replace("'", '"')
    await fhir.put("Observation/o", body[:-1] + f',"valueQuantity":{quantity}}}')
    return server


async def command(*arguments: object) -> int:
    """Commands have a loop of their own."""
    return await asyncio.to_thread(main, [str(a) for a in arguments])


async def test_a_backup_while_serving_restores_to_an_equal_store(
    stored: Running,
    start: Callable[..., Any],
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ONECARD_PASSPHRASE", "three synthetic words")
    file = tmp_path / "backup.onecard"
    assert await command("backup", file, "--store", store_url) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    target = f"sqlite:///{tmp_path}/restored.db"
    assert await command("restore", file, "--store", target) == 0
    restored = await start(store=target)
    assert await history_of(restored) == await history_of(stored)
    answer = await restored.client.get(
        "Observation?patient=Patient/1&birthdate:missing=true", headers={"Prefer": "handling=lenient"}
    )
    assert [e["resource"]["id"] for e in answer.json["entry"] if e["search"]["mode"] == "match"] == ["o"]
    assert (await restored.client.get("Patient/2")).status == 410
    assert b"1.00" in (await restored.client.get("Observation/o")).body
    later = await restored.client.put("Patient/1", {"resourceType": "Patient", "id": "1"})
    assert later.headers["ETag"] == 'W/"3"'


async def test_a_backup_for_a_public_key_opens_with_its_identity_only(
    stored: Running, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = pyrage.x25519.Identity.generate()
    keys = tmp_path / "key.txt"
    keys.write_text(f"# made for a test\n{identity}\n")
    file = tmp_path / "backup.onecard"
    assert await command("backup", file, "--store", store_url, "--recipient", identity.to_public()) == 0
    assert await command("restore", file, "--store", f"sqlite:///{tmp_path}/a.db") == 2
    assert "--identity" in capsys.readouterr().err
    assert await command("restore", file, "--store", f"sqlite:///{tmp_path}/b.db", "--identity", keys) == 0


async def test_a_restore_never_goes_into_a_store_that_holds_something(
    stored: Running, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.onecard"
    assert await command("backup", file, "--plain", "--store", store_url) == 0
    before = await history_of(stored)
    assert await command("restore", file, "--store", store_url) == 2
    assert "new and empty" in capsys.readouterr().err
    assert await history_of(stored) == before


async def test_nothing_is_restored_or_copied_into_a_store_that_is_served(
    stored: Running, start: Callable[..., Any], store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "served").mkdir()
    target = ENGINES["mongo" if store_url.startswith("mongodb") else "embedded"](tmp_path / "served")
    empty = await start(store=target)
    file = tmp_path / "backup.onecard"
    assert await command("backup", file, "--plain", "--store", store_url) == 0
    for arguments in (("restore", file, "--store", target), ("store", "copy", "--store", store_url, "--to", target)):
        assert await command(*arguments) == 2
        assert "a server was started on this one" in capsys.readouterr().err
    assert (await empty.client.get("Patient")).json["total"] == 0
    if store_url.startswith("mongodb"):
        mongod.drop(target)


async def test_a_backup_never_writes_over_a_file(stored: Running, store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup.onecard"
    file.write_text("precious")
    assert await command("backup", file, "--plain", "--store", store_url) == 2
    assert file.read_text() == "precious"


async def test_another_time_zone_is_refused(
    stored: Running, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.onecard"
    assert await command("backup", file, "--plain", "--store", store_url) == 0
    assert await command("restore", file, "--store", f"sqlite:///{tmp_path}/c.db", "--timezone", "UTC") == 2
    assert "Asia/Bangkok" in capsys.readouterr().err


async def test_a_short_passphrase_is_refused(
    stored: Running, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECARD_PASSPHRASE", "short")
    assert await command("backup", tmp_path / "b", "--store", store_url) == 2
    assert not (tmp_path / "b").exists()


async def test_a_copy_is_equal_and_the_source_goes_on_serving(
    stored: Running, start: Callable[..., Any], store_url: str, tmp_path: Path
) -> None:
    target = f"sqlite:///{tmp_path}/copied.db"
    assert await command("store", "copy", "--store", store_url, "--to", target) == 0
    copied = await start(store=target)
    assert await history_of(copied) == await history_of(stored)
    assert (await stored.client.get("Patient/1")).status == 200


def test_a_copy_to_what_is_no_store_names_the_flag(tmp_path: Path) -> None:
    done = onecard("store", "copy", "--store", "sqlite:///s.db", "--to", "mongo://user:secret@db1/copy", cwd=tmp_path)
    assert done.returncode == 2
    assert "onecard: --to: sqlite:///PATH or mongodb://HOST/NAME is expected" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize("harm", ["changed", "cut off"])
async def test_a_damaged_backup_is_refused_before_anything_is_written(
    harm: str, stored: Running, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, target = tmp_path / "backup.onecard", tmp_path / "restored.db"
    assert await command("backup", file, "--plain", "--store", store_url) == 0
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :] if harm == "changed" else whole[:-9]
    )
    assert await command("restore", file, "--store", f"sqlite:///{target}") == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not target.exists()
    file.write_bytes(whole)
    assert await command("restore", file, "--store", f"sqlite:///{target}") == 0


async def test_a_store_whose_restore_was_broken_off_is_not_served(
    stored: Running, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, target = tmp_path / "backup.onecard", f"sqlite:///{tmp_path}/restored.db"
    assert await command("backup", file, "--plain", "--store", store_url) == 0

    async def broken_off(*_: object) -> None:
        raise OSError("the disk went away")

    with monkeypatch.context() as patched:
        patched.setattr("server.store.transfer._verified", broken_off)
        assert await command("restore", file, "--store", target) == 2
    capsys.readouterr()
    assert await command("backup", tmp_path / "half", "--plain", "--store", target) == 2
    assert "broken off" in capsys.readouterr().err
    assert await command("store", "init", "--store", target) == 2
    assert "ready" not in capsys.readouterr().out
    assert await command("restore", file, "--store", target) == 2


@pytest.mark.parametrize("arguments", [["backup", "b", "--plain"], ["store", "info"], ["export", "fhir", "all.ndjson"]])
async def test_a_mistyped_store_is_refused_and_not_made(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert await command(*arguments, "--store", "sqlite:///onecrad.db") == 2
    assert "there is no store at onecrad.db" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.mongo
@pytest.mark.parametrize("arguments", [["backup", "b", "--plain"], ["store", "info"]])
async def test_a_mistyped_database_is_refused_and_not_made(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    url = ENGINES["mongo"](tmp_path)
    assert await command(*arguments, "--store", url) == 2
    assert "there is no store in the database" in capsys.readouterr().err
    assert await command("store", "init", "--store", url) == 0
    assert await command(*arguments, "--store", url) == 0


@pytest.mark.mongo
@pytest.mark.parametrize(
    "arguments", [["import", "fhir", "p.json"], ["import", "f43", "f.zip"], ["packages", "add", "p"]]
)
async def test_what_fills_a_store_refuses_a_database_named_much_like_that_of_another(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.json").write_text('{"resourceType": "Patient"}')
    zip_of(tmp_path / "f.zip", {"PERSON": [person()]})
    url = ENGINES["mongo"](tmp_path)
    assert await command("store", "init", "--store", url) == 0
    name = url.rpartition("/")[2].partition("?")[0]
    capsys.readouterr()
    assert await command(*arguments, "--store", url.replace(name, f"{name}x")) == 2
    assert f"{name} does: is the name mistyped?" in capsys.readouterr().err
    with MongoClient[dict[str, Any]](url) as client:
        assert f"{name}x" not in client.list_database_names()
    mongod.drop(url)


@pytest.mark.parametrize("arguments", [["backup", "away/b", "--plain"], ["export", "fhir", "away/all.ndjson"]])
def test_a_file_in_a_folder_that_is_not_there_is_refused_in_plain_words(arguments: list[str], tmp_path: Path) -> None:
    store = ("--store", "sqlite:///s.db")
    assert onecard("store", "init", *store, cwd=tmp_path).returncode == 0
    done = onecard(*arguments, *store, cwd=tmp_path)
    assert (done.returncode, "Errno" in done.stderr) == (2, False)
    assert "there is no folder away; make it first" in done.stderr


async def found_by_nickname(client: Client) -> list[str]:
    """As soon as it is answered."""
    for _ in range(500):
        answer = await client.get("Patient?nickname=lek")
        if answer.status == 200:
            return [entry["resource"]["id"] for entry in answer.json["entry"]]
        await asyncio.sleep(0.02)
    raise AssertionError(answer.text)


@pytest.mark.parametrize("into", ["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
@pytest.mark.parametrize("way", ["restore", "copy"])
async def test_custom_search_parameters_find_what_was_restored_or_copied_right_away(
    way: str, into: str, server: Running, fhir: Client, start: Callable[..., Any], store_url: str, tmp_path: Path
) -> None:
    named = {"resourceType": "Patient", "id": "1", "name": [{"use": "nickname", "given": ["Lek"]}]}
    await fhir.put("Patient/1", named)
    await fhir.put("SearchParameter/nick", nickname_parameter())
    assert await found_by_nickname(fhir) == ["1"]
    (tmp_path / "target").mkdir()
    target = ENGINES[into](tmp_path / "target")
    if way == "copy":
        assert await command("store", "copy", "--store", store_url, "--to", target) == 0
    else:
        assert await command("backup", tmp_path / "b", "--plain", "--store", store_url) == 0
        assert await command("restore", tmp_path / "b", "--store", target) == 0
    other = await start(store=target)
    answer = await other.client.get("Patient?nickname=lek")
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == ["1"]
    await other.client.put("Patient/2", {**named, "id": "2"})
    assert await found_by_nickname(other.client) == ["1", "2"]


async def test_a_parameter_whose_indexing_had_not_ended_is_indexed_in_the_copy(
    server: Running, fhir: Client, start: Callable[..., Any], store_url: str, tmp_path: Path
) -> None:
    named = {"resourceType": "Patient", "id": "1", "name": [{"use": "nickname", "given": ["Lek"]}]}
    await fhir.put("Patient/1", named)
    await fhir.put("SearchParameter/nick", nickname_parameter())
    (tmp_path / "target").mkdir()
    target = ENGINES["mongo" if store_url.startswith("mongodb") else "embedded"](tmp_path / "target")
    assert await command("store", "copy", "--store", store_url, "--to", target) == 0
    other = await start(store=target)
    assert await found_by_nickname(other.client) == ["1"]


def test_without_a_terminal_the_passphrase_comes_from_the_environment(tmp_path: Path) -> None:
    store = ("--store", "sqlite:///s.db")
    assert onecard("store", "init", *store, cwd=tmp_path).returncode == 0
    refused = onecard("backup", "b", *store, cwd=tmp_path, detached=True)
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert "ONECARD_PASSPHRASE" in refused.stderr
    given = {"ONECARD_PASSPHRASE": "three synthetic words"}
    assert onecard("backup", "b", *store, cwd=tmp_path, env=given, detached=True).returncode == 0
    assert (
        "ONECARD_PASSPHRASE" in onecard("restore", "b", "--store", "sqlite:///r.db", cwd=tmp_path, detached=True).stderr
    )


def test_a_store_and_exports_made_by_commands_are_for_their_owner_only(tmp_path: Path) -> None:
    for arguments in (["store", "init"], ["export", "fhir", "all.ndjson"]):
        assert onecard(*arguments, "--store", "sqlite:///s.db", cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_mode & 0o077] == []


@pytest.mark.mongo
async def test_a_copy_into_mongodb_is_equal_and_every_read_meanwhile_is_answered(
    stored: Running, start: Callable[..., Any], store_url: str, tmp_path: Path
) -> None:
    for n in range(40):
        await stored.client.put(f"Basic/b{n}", {"resourceType": "Basic", "id": f"b{n}", "code": {"text": str(n)}})
    (tmp_path / "target").mkdir()
    target = ENGINES["mongo"](tmp_path / "target")
    copying = asyncio.create_task(command("store", "copy", "--store", store_url, "--to", target))
    reads = 0
    while not copying.done():
        assert (await stored.client.get(f"Basic/b{reads % 40}")).status == 200
        assert (await stored.client.get("Patient?birthdate=2001")).json["total"] == 1
        reads += 1
    assert await copying == 0
    assert reads > 0
    copied = await start(store=target)
    assert await history_of(copied) == await history_of(stored)
    assert (await copied.client.get("Patient?birthdate=2001")).json["total"] == 1
    assert (await copied.client.get("Basic?_summary=count")).json["total"] == 40


@pytest.mark.parametrize("into", ["embedded", pytest.param("mongo", marks=pytest.mark.mongo)])
async def test_a_copy_of_a_store_that_is_written_meanwhile_is_one_moment_of_it(
    into: str, stored: Running, start: Callable[..., Any], store_url: str, tmp_path: Path
) -> None:
    """Not the last: what is written afterwards the copy does not have, nor does a second copy bring it."""
    (tmp_path / "target").mkdir()
    target = ENGINES[into](tmp_path / "target")
    copying = asyncio.create_task(command("store", "copy", "--store", store_url, "--to", target))
    written = 0
    while not copying.done():
        pair = [{"resourceType": "Basic", "id": id, "code": {"text": str(written)}} for id in ("a", "b")]
        entries = [{"resource": e, "request": {"method": "PUT", "url": f"Basic/{e['id']}"}} for e in pair]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        assert (await stored.client.post("", bundle)).status == 200
        written += 1
    assert await copying == 0
    await stored.client.put("Patient/later", {"resourceType": "Patient", "id": "later"})
    source = [version async for version in stored.ctx.store.changes(0)]
    copied = await start(store=target)
    found = [version async for version in copied.ctx.store.changes(0)]
    same = [(v.type, v.id, v.version, v.last_updated, v.method, v.body) for v in found]
    assert same == [(v.type, v.id, v.version, v.last_updated, v.method, v.body) for v in source][: len(found)]
    assert 6 <= len(found) < len(source)
    basics = [(await copied.client.get(f"Basic/{id}")).headers.get("ETag") for id in ("a", "b")]
    assert basics[0] == basics[1]  # no half of a transaction
    assert (await copied.client.get("Patient/later")).status == 404
    assert await command("store", "copy", "--store", store_url, "--to", target) == 2


@pytest.mark.mongo
async def test_a_backup_of_one_engine_restores_into_the_other(
    stored: Running, start: Callable[..., Any], store_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup.onecard"
    assert await command("backup", file, "--plain", "--store", store_url) == 0
    (tmp_path / "target").mkdir()
    target = ENGINES["embedded" if store_url.startswith("mongodb") else "mongo"](tmp_path / "target")
    assert await command("restore", file, "--store", target) == 0
    assert await history_of(await start(store=target)) == await history_of(stored)
