"""`onecard quarantine list|retry|purge`: what imports refused."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from server.cli import importing, importing_f43, refuse
from server.cli.progress import import_bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.intake.documents import SourceError, find_sources
from server.intake.f43.importing import import_f43
from server.intake.f43.sources import F43Source
from server.intake.importing import import_fhir
from server.intake.quarantine import read_quarantine
from server.intake.retry import purge, quarantine_file, unpack
from server.intake.team import WorkerFailed
from server.store.contract import StoreError

_DAY = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="imports with refused rows, or the rows of one / แสดงรายการ")
    listing.add_argument("id", nargs="?", metavar="ID", help="of an import: its rows / รหัสการนำเข้า")
    listing.add_argument("--json", action="store_true")
    again = actions.add_parser("retry", help="import the refused rows of an import again / นำเข้าใหม่")
    again.add_argument("id", metavar="ID")
    again.add_argument("--json", action="store_true")
    away = actions.add_parser("purge", help="delete what is kept / ลบข้อมูลที่เก็บไว้")
    away.add_argument("id", nargs="?", metavar="ID")
    away.add_argument("--older-than", type=float, metavar="DAYS", help="all that is older / ทั้งหมดที่เก่ากว่า (วัน)")
    for each in (listing, away):
        add_settings(each, ("data-folder",))
    add_settings(again, (*importing_f43.SETTINGS, "max-body-bytes"))


def run(args: argparse.Namespace) -> int:
    """0 done, 1 if rows were refused again, 2 if there is nothing of that name."""
    try:
        settings = settings_of(args)
        folder = Path(settings.data_folder) / "quarantine"
        return _ACTIONS[args.action](args, settings, folder)
    except (SettingRefused, SourceError, StoreError, WorkerFailed) as error:
        return refuse(error)


def _list(args: argparse.Namespace, settings: Settings, folder: Path) -> int:
    if args.id:
        rows = [_told(row) for row in read_quarantine(quarantine_file(folder, args.id))]
        text = "\n".join(f"{row['file']:<20}{row['row']:>8}  {'; '.join(row['reasons'])}" for row in rows)
    else:
        rows = [_summed(path) for path in sorted(folder.glob("*.ndjson"))]
        text = "\n".join(f"{row['import']}  {row['rows']:>8,}  {row['files']}" for row in rows) or "empty / ว่าง"
    print(json.dumps(rows, ensure_ascii=False) if args.json else text)
    return 0


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """What may be shown of a refused row: never its text."""
    reasons = [f"{','.join(issue.get('expression', ()))} {issue.get('diagnostics', '')}" for issue in row["issues"]]
    return {"file": row["source"], "row": row["document"], "reasons": reasons}


def _summed(path: Path) -> dict[str, Any]:
    files = Counter(row["source"] for row in read_quarantine(path))
    return {"import": path.stem, "rows": files.total(), "files": dict(files)}


def _retry(args: argparse.Namespace, settings: Settings, folder: Path) -> int:
    path = quarantine_file(folder, args.id)
    with tempfile.TemporaryDirectory(dir=folder) as unpacked:  # beside the quarantine: as private as it
        rows = unpack(path, Path(unpacked))
        report = asyncio.run(_again(settings, rows, Path(unpacked)))
    purge(folder, args.id)
    if args.json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        print(report.summary)
    return 1 if report.refused else 0


async def _again(settings: Settings, rows: F43Source | None, folder: Path) -> Any:
    """The report of a new import, with its `summary` as text."""
    from server.app import build_context

    ctx = await build_context(settings, must_exist=True)
    processes = os.cpu_count() or 1
    try:
        if rows is not None:
            with import_bar(sum(member.size for member in rows.members)) as advance:
                own = await import_f43(settings, ctx, rows, processes=0, advance=advance)
            return _Told(own, importing_f43.summary(own))
        sources = find_sources([folder])
        with import_bar(sum(source.path.stat().st_size for source in sources)) as advance:
            fhir = await import_fhir(settings, ctx, sources, workers=processes, again=True, advance=advance)
        return _Told(fhir, importing.summary(fhir))
    finally:
        await ctx.store.close()


class _Told:
    def __init__(self, report: Any, summary: str) -> None:
        self.refused: int = report.refused
        self.as_json = report.as_json
        self.summary = summary


def _purge(args: argparse.Namespace, settings: Settings, folder: Path) -> int:
    if args.id:
        names = [quarantine_file(folder, args.id).stem]
    elif args.older_than is not None:
        before = time.time() - args.older_than * _DAY
        kept = [path for path in folder.glob("*-*-*-*.*") if path.suffix in (".ndjson", ".html", ".csv")]
        names = sorted({path.stem for path in kept if path.stat().st_mtime < before})
    else:
        raise SourceError("name an import, or --older-than DAYS / ระบุรหัสการนำเข้า หรือ --older-than จำนวนวัน")
    for name in names:
        purge(folder, name)
    print(f"{len(names):,} deleted / ลบแล้ว")
    return 0


_ACTIONS = {"list": _list, "retry": _retry, "purge": _purge}
