"""An import of rows given in the test, in this process, into a store of its own."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mappers.f43.files import write_rows
from mappers.links import Row
from server.app import build_context
from server.config import load
from server.context import Context
from server.intake.f43.importing import import_f43
from server.intake.f43.report import Report
from server.intake.f43.sources import F43Source, open_source
from server.store.contract import Version

NOW = 1_780_000_000_000
"""28 May 2026, milliseconds UTC."""


def person(hcode: str = "99999", pid: str = "0001", **more: str) -> Row:
    row = {
        "HOSPCODE": hcode,
        "CID": "9998046561008",
        "PID": pid,
        "PRENAME": "003",
        "NAME": "สมมุติ",
        "LNAME": "ตัวอย่าง",
        "SEX": "1",
        "BIRTH": "19800315",
        "NATION": "099",
        "DISCHARGE": "9",
        "TYPEAREA": "1",
        "D_UPDATE": "20260101080000",
    } | more
    return {name: text for name, text in row.items() if text}


def service(seq: str = "S1", pid: str = "0001", **more: str) -> Row:
    return {
        "HOSPCODE": "99999",
        "PID": pid,
        "SEQ": seq,
        "DATE_SERV": "20260110",
        "TIME_SERV": "091500",
        "LOCATION": "1",
        "INTIME": "1",
        "INSTYPE": "0100",
        "TYPEIN": "1",
        "TYPEOUT": "1",
        "SERVPLACE": "1",
        "SBP": "128",
        "DBP": "82",
        "PR": "72",
        "COST": "100.00",
        "PRICE": "150.00",
        "PAYPRICE": "0.00",
        "ACTUALPAY": "0.00",
        "D_UPDATE": "20260110093000",
    } | more


def diagnosis(seq: str = "S1", code: str = "I10", **more: str) -> Row:
    return {
        "HOSPCODE": "99999",
        "PID": "0001",
        "SEQ": seq,
        "DATE_SERV": "20260110",
        "DIAGTYPE": "1",
        "DIAGCODE": code,
        "CLINIC": "00100",
        "D_UPDATE": "20260110093000",
    } | more


def zip_of(path: Path, files: Mapping[str, Iterable[Row] | bytes]) -> Path:
    """A zip of rows, or of bytes as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, rows in files.items():
            data = rows if isinstance(rows, bytes) else b"".join(write_rows(file, rows))
            archive.writestr(f"F43/{file}.txt", data)
    return path


class Hospital:
    """A store, and imports into it."""

    def __init__(self, folder: Path, ctx: Context) -> None:
        self.folder = folder
        self.ctx = ctx
        self._files = 0

    @classmethod
    async def opened(cls, folder: Path, store: str = "") -> Hospital:
        """store: its URL; an embedded one in the folder if it is empty."""
        settings = load({"store": [store or f"sqlite:///{folder}/onecard.db"], "data_folder": [str(folder)]})
        now = iter(range(NOW, NOW + 10**9, 7))
        return cls(folder, await build_context(settings, clock=lambda: next(now)))

    async def load(self, **files: Iterable[Row] | bytes) -> Report:
        self._files += 1
        return await self.load_path(zip_of(self.folder / f"{self._files}.zip", files))

    async def load_path(self, path: Path) -> Report:
        return await self.load_source(open_source(path))

    async def load_source(self, source: F43Source) -> Report:
        return await import_f43(self.ctx.settings, self.ctx, source, processes=0, advance=lambda resources, read: None)

    async def all(self, kind: str, *criteria: tuple[str, str]) -> list[dict[str, Any]]:
        """Current resources of a type."""
        hits = await self.ctx.store.search(self.ctx.search.compile(kind, [*criteria, ("_count", "100")]).query)
        return [json.loads(hit.version.body or b"{}") for hit in hits.hits]

    async def state(self) -> dict[tuple[str, str], Version]:
        """Every current resource but Provenance."""
        found: dict[tuple[str, str], Version] = {}
        async for version in self.ctx.store.changes(0):
            if version.type != "Provenance":
                found[version.type, version.id] = version
        return found

    def quarantined(self, report: Report) -> list[dict[str, Any]]:
        if report.quarantine is None:
            return []
        return [json.loads(line) for line in Path(report.quarantine).read_text("utf-8").splitlines()]
