"""`onecard import f43|f16|card PATH...`: the 43 files, the claim files, cards that were read into the store."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from server.cli import refuse
from server.cli.progress import import_bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.intake.cards import open_cards
from server.intake.documents import SourceError
from server.intake.f43.importing import import_f43
from server.intake.f43.report import Report
from server.intake.f43.sources import F43Source, open_claims, open_source
from server.intake.team import WorkerFailed
from server.store.contract import StoreError

SETTINGS = (
    *("store", "timezone", "data-folder", "base-url", "referential-integrity", "text-search"),
    *("cid-dummies", "cid-facility-prefixes", "identity-precedence", "d-update-days-ahead"),
)
SMALL = 300_000
"""Bytes of rows that one process writes sooner than several would have started."""


_PATHS = {
    "f43": "zip, folder or file / ไฟล์ zip หรือโฟลเดอร์",
    "f16": "zip, folder or file / ไฟล์ zip หรือโฟลเดอร์",
    "card": "a JSON object a line, - for standard input / ไฟล์ JSON บรรทัดละหนึ่งใบ หรือ - เพื่ออ่านจาก standard input",
}
_OPEN: dict[str, Callable[[Path, str, Path], F43Source]] = {
    "f43": lambda path, hcode, folder: open_source(path),
    "f16": lambda path, hcode, folder: open_claims(path, hcode),
    "card": open_cards,
}
"""Source of a path of each format; the folder is for what has to be written down first."""


def add_arguments(parser: argparse.ArgumentParser, family: str) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=_PATHS[family])
    parser.add_argument(
        "--processes", type=int, metavar="N", help="how many work at a time; small files need none / จำนวนโปรเซส"
    )
    if family == "f16":
        parser.add_argument(
            "--hcode", default="", help="of the facility, where no row tells it / รหัสสถานพยาบาล (เมื่อแฟ้มไม่ระบุ)"
        )
    if family == "card":
        parser.add_argument("--hcode", required=True, help="of the facility that read the cards / รหัสสถานพยาบาลที่อ่านบัตร")
    parser.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
    add_settings(parser, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """0 if all is in, 1 if something was refused, 2 if nothing could be begun."""
    try:
        reports = _run(args, settings_of(args))
    except (SettingRefused, SourceError, StoreError, WorkerFailed, OSError) as error:
        return refuse(error)
    if args.json:
        print(json.dumps({"imports": [report.as_json() for report in reports]}, ensure_ascii=False))
    else:
        print("\n".join(summary(report) for report in reports))
    return 1 if any(report.refused for report in reports) else 0


def _run(args: argparse.Namespace, settings: Settings) -> list[Report]:
    hcode = getattr(args, "hcode", "")
    Path(settings.data_folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=settings.data_folder) as folder:  # as private as the quarantine
        sources = [_OPEN[args.format](path, hcode, Path(folder)) for path in args.paths]
        return asyncio.run(_import(args, settings, sources))


async def _import(args: argparse.Namespace, settings: Settings, sources: list[F43Source]) -> list[Report]:
    from server.app import build_context

    ctx = await build_context(settings, wary=True)
    size = sum(member.size for source in sources for member in source.members)
    # Starting processes takes longer than a small file does.
    processes = args.processes if args.processes is not None else 0 if size < SMALL else os.cpu_count() or 1
    try:
        with import_bar(size) as advance:
            return [
                await import_f43(settings, ctx, source, processes=max(0, processes), advance=advance)
                for source in sources
            ]
    finally:
        await ctx.store.close()


def summary(report: Report) -> str:
    """What a person reads at the end."""
    lines = [
        f"{report.source}: import {report.import_id}{' (taken up again)' if report.resumed else ''}, "
        f"{report.resources:,} resources in {report.seconds:.1f} s / ทรัพยากร"
    ]
    for file, counts in report.files.items():
        told = f"{counts.read:>9,} rows  {counts.mapped:>9,} in  {counts.unchanged:>9,} unchanged"
        more = f"  {counts.older:,} older" if counts.older else ""
        more += f"  {counts.elsewhere:,} of visits known from elsewhere / มีอยู่แล้ว" if counts.elsewhere else ""
        more += f"  {counts.unresolved:,} name what is not here / อ้างถึงสิ่งที่ไม่มี" if counts.unresolved else ""
        more += f"  {counts.refused:,} refused / ไม่รับ" if counts.refused else ""
        lines.append(f"  {file:<20}{told}{more}")
    lines += [f"  {error}" for error in report.errors]
    if report.reviews:
        lines.append(f"  {len(report.reviews):,} pairs with one citizen id were kept apart / ขัดแย้งกัน ไม่รวมเป็นคนเดียว")
    if report.warnings:
        lines.append(f"  {report.warnings:,} odd values were taken as they are / ค่าที่น่าสงสัย นำเข้าตามเดิม ดูในรายงาน")
    if report.ignored:
        lines.append(f"  not read, of another name / ไม่ได้อ่าน: {', '.join(report.ignored[:10])}")
    if report.quarantine:
        lines.append(f"  what was refused is kept in / ข้อมูลที่ไม่รับเก็บไว้ที่ {report.quarantine}")
    lines.append(f"  report / รายงานคุณภาพข้อมูล: {report.html}")
    return "\n".join(lines)
