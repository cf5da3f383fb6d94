"""`onecard export f43|fhir`: what the store holds as files."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from mappers.layout import V24, VERSIONS
from server.cli import refuse
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.store.contract import StoreError

SETTINGS = ("store", "timezone", "data-folder", "base-url")
_ENCODINGS = {"utf-8": "utf-8", "windows-874": "cp874"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    f43 = formats.add_parser("f43", help="the 43 files of one facility as a zip / 43 แฟ้มของหน่วยบริการ")
    f43.add_argument("out", type=Path, metavar="OUT.zip")
    f43.add_argument("--facility", required=True, metavar="HCODE", help="hospital code / รหัสสถานพยาบาล")
    f43.add_argument("--structure", choices=VERSIONS, default=V24, help="columns of which version / โครงสร้างรุ่น")
    f43.add_argument("--encoding", choices=_ENCODINGS, default="utf-8", help="of the text / รหัสอักขระ")
    f43.add_argument("--no-header", action="store_true", help="without a row of names / ไม่มีแถวชื่อคอลัมน์")
    fhir = formats.add_parser("fhir", help="resources as NDJSON / ทรัพยากร FHIR")
    fhir.add_argument("out", type=Path, metavar="OUT.ndjson", help="packed if it ends in .gz")
    fhir.add_argument("--type", action="append", default=[], metavar="TYPE", help="only this type; may be repeated")
    for each in (f43, fhir):
        each.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
        add_settings(each, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """0 if it is written, 2 if it could not be."""
    try:
        counts = asyncio.run(_export(args, settings_of(args)))
    except (SettingRefused, StoreError, OSError) as error:
        return refuse(error)
    except UnicodeEncodeError as error:
        letter = error.object[error.start : error.start + 1]
        return refuse(f"Windows-874 has no letter U+{ord(letter):04X}: export as utf-8 / ใช้รหัส utf-8 แทน")
    if args.json:
        print(json.dumps({"out": str(args.out), "counts": counts}))
    else:
        print("\n".join(f"  {name:<24}{number:>10,}" for name, number in counts.items()))
        print(f"{sum(counts.values()):,} written / เขียนแล้ว: {args.out}")
    return 0


async def _export(args: argparse.Namespace, settings: Settings) -> dict[str, int]:
    from tqdm import tqdm

    from server.app import build_context
    from server.intake.export import export_fhir
    from server.intake.f43.export import export_f43

    ctx = await build_context(settings)
    try:
        with tqdm(unit=" rows" if args.format == "f43" else " resources", file=sys.stderr, desc="export") as bar:
            if args.format == "fhir":
                unknown = [name for name in args.type if name not in ctx.definitions.resource_types]
                if unknown:
                    raise SettingRefused(f"{unknown[0][:40]} is no resource type of FHIR R4")
                return await export_fhir(ctx, args.out, args.type, advance=bar.update)
            return await export_f43(
                ctx,
                args.facility,
                args.out,
                version=args.structure,
                encoding=_ENCODINGS[args.encoding],
                header=not args.no_header,
                advance=bar.update,
            )
    finally:
        await ctx.store.close()
