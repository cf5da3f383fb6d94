"""`onecard export f43|f16|moph-phr|fhir`: what the store holds as files."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mappers.layout import V24, VERSIONS
from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import add_settings, refuse_missing_folder, settings_of
from server.config import SettingRefused, Settings
from server.intake.documents import SourceError
from server.store.contract import StoreError

if TYPE_CHECKING:
    from server.context import Context
    from server.intake.cases import Period

SETTINGS = ("store", "timezone", "data-folder", "base-url")
_ENCODINGS = {"utf-8": "utf-8", "windows-874": "cp874"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    f43 = formats.add_parser("f43", help="the 43 files of one facility as a zip / 43 แฟ้มของหน่วยบริการ")
    f43.add_argument("out", type=Path, metavar="OUT.zip")
    f43.add_argument("--facility", required=True, metavar="HCODE", help="hospital code / รหัสสถานพยาบาล")
    f43.add_argument("--structure", choices=VERSIONS, default=V24, help="columns of which version / โครงสร้างรุ่น")
    f43.add_argument("--no-header", action="store_true", help="without a row of names / ไม่มีแถวชื่อคอลัมน์")
    f16 = formats.add_parser("f16", help="claims of one facility as the 16 files and LAB / 16 แฟ้มเบิกจ่าย")
    f16.add_argument("out", type=Path, metavar="OUT.zip")
    for each in (f43, f16):
        each.add_argument("--encoding", choices=_ENCODINGS, default="utf-8", help="of the text / รหัสอักขระ")
    phr = formats.add_parser("moph-phr", help="bodies of POST /UpdatePHRv1, one person a line / ส่งออก MOPH PHR")
    phr.add_argument("out", type=Path, metavar="OUT.ndjson")
    for each in (f16, phr):
        each.add_argument("--facility", metavar="HCODE", help="needed where the store holds several / รหัสสถานพยาบาล")
        each.add_argument("--from", dest="since", type=_day, metavar="YYYY-MM-DD", help="first day / ตั้งแต่วันที่")
        each.add_argument("--to", dest="until", type=_day, metavar="YYYY-MM-DD", help="last day / ถึงวันที่")
    fhir = formats.add_parser("fhir", help="resources as NDJSON / ทรัพยากร FHIR")
    fhir.add_argument("out", type=Path, metavar="OUT.ndjson", help="packed if it ends in .gz")
    fhir.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    for each in (f43, f16, phr, fhir):
        each.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
        add_settings(each, (*SETTINGS, *(("phr-swap-address",) if each is phr else ())))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a day such as 2026-01-31 is expected / ระบุวันที่ ค.ศ.") from None


def run(args: argparse.Namespace) -> int:
    """0 if it is written, 2 if it could not be."""
    try:
        counts = asyncio.run(_export(args, settings_of(args)))
    except (SettingRefused, SourceError, StoreError, OSError) as error:
        return refuse(error)
    except UnicodeEncodeError as error:
        letter = error.object[error.start : error.start + 1]
        return refuse(f"Windows-874 has no letter U+{ord(letter):04X}: export as utf-8 / ใช้รหัส utf-8 แทน")
    if args.json:
        print(json.dumps({"out": str(args.out), "counts": counts}))
    else:
        print("\n".join(f"  {name:<24}{number:>10,}" for name, number in counts.items()))
        print(f"written / เขียนแล้ว: {args.out}")
    return 0


async def _export(args: argparse.Namespace, settings: Settings) -> dict[str, int]:
    from server.app import build_context

    refuse_missing_folder(args.out)
    ctx = await build_context(settings, must_exist=True)
    write, unit = _WRITERS[args.format]
    try:
        with bar("export", unit) as shown:
            return await write(args, ctx, shown.update)
    finally:
        await ctx.store.close()


async def _fhir(args: argparse.Namespace, ctx: Context, advance: Callable[[int], object]) -> dict[str, int]:
    from server.intake.export import export_fhir

    unknown = [name for name in args.type if name not in ctx.definitions.resource_types]
    if unknown:
        raise SettingRefused(f"{unknown[0][:40]} is no resource type of FHIR R4")
    return await export_fhir(ctx, args.out, args.type, advance=advance)


async def _f43(args: argparse.Namespace, ctx: Context, advance: Callable[[int], object]) -> dict[str, int]:
    from server.intake.f43.export import export_f43

    return await export_f43(
        ctx,
        args.facility,
        args.out,
        version=args.structure,
        encoding=_ENCODINGS[args.encoding],
        header=not args.no_header,
        advance=advance,
    )


async def _f16(args: argparse.Namespace, ctx: Context, advance: Callable[[int], object]) -> dict[str, int]:
    from server.intake.claims import export_f16

    hcode, period = await _facility(args, ctx), _period(args)
    return await export_f16(ctx, hcode, args.out, period, encoding=_ENCODINGS[args.encoding], advance=advance)


async def _phr(args: argparse.Namespace, ctx: Context, advance: Callable[[int], object]) -> dict[str, int]:
    from server.intake.phr import export_phr

    sent = await export_phr(ctx, await _facility(args, ctx), args.out, _period(args), advance=advance)
    return sent.as_json()


def _period(args: argparse.Namespace) -> Period:
    from server.intake.cases import Period

    if args.since and args.until and args.since > args.until:
        raise SettingRefused("--from is after --to / วันเริ่มต้นอยู่หลังวันสิ้นสุด")
    return Period(args.since, args.until)


async def _facility(args: argparse.Namespace, ctx: Context) -> str:
    """What was asked for, else the only one. Raises: SourceError."""
    from server.intake.cases import facilities

    if args.facility:
        return str(args.facility)
    found = await facilities(ctx)
    if len(found) != 1:
        told = ", ".join(found[:20]) or "no visit is in the store / ไม่มีข้อมูลการรับบริการ"
        raise SourceError(f"--facility: whose? / ระบุรหัสสถานพยาบาล: {told}")
    return found[0]


_Write = Callable[[argparse.Namespace, Any, Callable[[int], object]], Awaitable[dict[str, int]]]
_WRITERS: dict[str, tuple[_Write, str]] = {
    "f43": (_f43, "rows"),
    "f16": (_f16, "rows"),
    "moph-phr": (_phr, "persons"),
    "fhir": (_fhir, "resources"),
}
