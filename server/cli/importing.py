"""`onecard import fhir PATH...`: bundles, single resources and NDJSON into the store, beside normal service."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path

from server.cli import importing_f43, importing_his, refuse, undoing
from server.cli.progress import import_bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.intake.documents import Source, SourceError, find_sources
from server.intake.importing import ImportReport, import_fhir
from server.intake.team import WorkerFailed
from server.store.contract import StoreError

SETTINGS = ("store", "timezone", "data-folder", "base-url", "max-body-bytes", "referential-integrity", "text-search")

_OTHERS = {
    "f43": importing_f43.run,
    "f16": importing_f43.run,
    "card": importing_f43.run,
    "jhcis": importing_his.run,
    "hosxp": importing_his.run,
    "undo": undoing.run,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    fhir = formats.add_parser("fhir", help="FHIR JSON and NDJSON: files, folders, .gz, .zip / ไฟล์ FHIR")
    fhir.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    fhir.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="how many work at a time / จำนวนโปรเซส"
    )
    fhir.add_argument("--again", action="store_true", help="load files once more that are in whole / นำเข้าซ้ำ")
    fhir.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
    add_settings(fhir, SETTINGS)
    importing_f43.add_arguments(formats.add_parser("f43", help="the 43 files: zips and folders / 43 แฟ้ม"), "f43")
    claims = formats.add_parser("f16", help="the 16 claim files and LAB: zips and folders / 16 แฟ้ม")
    importing_f43.add_arguments(claims, "f16")
    cards = formats.add_parser("card", help="citizens' cards that were read, as JSON lines / บัตรประจำตัวประชาชนที่อ่านแล้ว")
    importing_f43.add_arguments(cards, "card")
    importing_his.add_arguments(formats.add_parser("jhcis", help="a JHCIS database or dump / ฐานข้อมูล JHCIS"), "jhcis")
    importing_his.add_arguments(formats.add_parser("hosxp", help="a HOSxP database / ฐานข้อมูล HOSxP"), "hosxp")
    undoing.add_arguments(formats.add_parser("undo", help="take an import of hospital data back / ยกเลิกการนำเข้า"))


def run(args: argparse.Namespace) -> int:
    """0 if all is in, 1 if something was refused, 2 if nothing could be begun."""
    if args.format in _OTHERS:
        return _OTHERS[args.format](args)
    try:
        settings = settings_of(args)
        report = asyncio.run(_import(args, settings, find_sources(args.paths)))
    except (SettingRefused, SourceError, StoreError, WorkerFailed, OSError) as error:
        return refuse(error)
    print(json.dumps(report.as_json(), ensure_ascii=False) if args.json else summary(report))
    return 1 if report.refused else 0


async def _import(args: argparse.Namespace, settings: Settings, sources: list[Source]) -> ImportReport:
    from server.app import build_context

    ctx = await build_context(settings, wary=True)
    size = sum(path.stat().st_size for path in {source.path for source in sources})
    packed = any(source.member or source.path.name.lower().endswith(".gz") for source in sources)
    # Of packed files only the packed size is known beforehand: then the bar counts without an end.
    try:
        with import_bar(None if packed else size) as advance:
            return await import_fhir(
                settings, ctx, sources, workers=max(1, args.processes), again=args.again, advance=advance
            )
    finally:
        await ctx.store.close()


def summary(report: ImportReport) -> str:
    """What a person reads at the end."""
    written, repeated = sum(s.written for s in report.sources), sum(s.repeated for s in report.sources)
    lines = [
        f"{written:,} resources written / บันทึกแล้ว, {repeated:,} were in already / มีอยู่แล้ว, "
        f"{report.refused:,} refused / ไม่รับ, in {report.seconds:.1f} s"
    ]
    lines += [f"  {s.source}: imported whole before; --again loads it once more" for s in report.sources if s.skipped]
    lines += [f"  {s.source}: {s.error}" for s in report.sources if s.error]
    lines += [f"  {count:>7,} x {reason}" for reason, count in sorted(report.reasons.items(), key=lambda r: -r[1])[:10]]
    if report.quarantine:
        lines.append(f"  what was refused is kept in / ข้อมูลที่ไม่รับเก็บไว้ที่ {report.quarantine}")
    return "\n".join(lines)
