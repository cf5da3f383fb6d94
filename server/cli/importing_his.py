"""`onecard import jhcis URL_OR_DUMP` and `onecard import hosxp URL`: a hospital's database into the store."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import importlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from mappers import hosxp, jhcis
from mappers.his.tables import Rows, TablesError, in_use, read_tables
from server.cli import refuse
from server.cli.importing_f43 import SETTINGS
from server.cli.importing_f43 import summary as summary_f43
from server.cli.progress import bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.intake.documents import SourceError
from server.intake.his.database import PASSWORD_VARIABLE, ConnectionLost, Database, HisError, parse_url
from server.intake.his.dump import ENCODINGS, DumpDatabase
from server.intake.his.importing import WINDOWS, HisReport, Wanted, import_his
from server.intake.his.reading import Reader
from server.intake.team import WorkerFailed
from server.store.contract import StoreError

TABLES = {"jhcis": jhcis.TABLES, "hosxp": hosxp.TABLES}
DRIVERS = {
    "mysql": ("server.intake.his.mysql", "MysqlDatabase"),
    "postgresql": ("server.intake.his.postgresql", "PostgresqlDatabase"),
}
RATE = 2000.0
"""Rows a second: a fraction of what an old server gives, a night for a district hospital."""
_HCODE = re.compile(r"[0-9]{5}\Z|[A-Z0-9]{9}\Z")


def add_arguments(parser: argparse.ArgumentParser, system: str) -> None:
    what = "mysql://USER@HOST:3333/jhcisdb, or a mysqldump / หรือไฟล์ mysqldump (.sql .sql.gz .zip)"
    where = "mysql://USER@HOST/DATABASE or / หรือ postgresql://USER@HOST/DATABASE"
    parser.add_argument(
        "source", metavar="URL" if system == "hosxp" else "URL_OR_DUMP", help=where if system == "hosxp" else what
    )
    if system == "hosxp":
        parser.add_argument("--hcode", required=True, help="hospital code of the facility / รหัสสถานพยาบาล")
    else:
        parser.add_argument(
            "--encoding", choices=sorted(ENCODINGS), default="utf8", help="letters of the dump / รหัสอักขระของไฟล์ dump"
        )
    parser.add_argument("--since", type=_day, metavar="YYYY-MM-DD", help="what is new since then / ข้อมูลตั้งแต่วันที่")
    parser.add_argument(
        "--window",
        type=int,
        default=WINDOWS[system],
        metavar="DAYS",
        help=f"days before the last import to read again / อ่านย้อนหลังกี่วัน [{WINDOWS[system]}]",
    )
    parser.add_argument("--all", action="store_true", help="everything once more / อ่านใหม่ทั้งหมด")
    parser.add_argument(
        "--rate", type=float, default=RATE, help=f"rows a second, 0: no limit / จำนวนแถวต่อวินาที [{RATE:g}]"
    )
    parser.add_argument(
        "--tables", type=Path, action="append", default=[], metavar="FILE", help="the site's corrections / ไฟล์แก้ไขตาราง"
    )
    parser.add_argument(
        "--show-tables", action="store_true", help="what is read, and what is unverified / แสดงตารางที่อ่าน"
    )
    parser.add_argument("--allow-writable", action="store_true", help="use an account that may write / ยอมใช้บัญชีที่เขียนได้")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="how many work at a time / จำนวนโปรเซส"
    )
    parser.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
    add_settings(parser, SETTINGS)


def _day(text: str) -> datetime:
    day = datetime.fromisoformat(text)
    if day.year > 2400:
        raise argparse.ArgumentTypeError("a year of the Buddhist era: write the year AD / ปี พ.ศ. กรุณาใส่ปี ค.ศ.")
    return day


def run(args: argparse.Namespace) -> int:
    """0 if all is in, 1 if something was refused, 2 if nothing could be begun."""
    try:
        entries = read_tables(TABLES[args.format], *args.tables)
        if args.show_tables:
            print("\n".join(_listed(entries)))
            return 0
        if args.format == "hosxp" and not _HCODE.match(args.hcode):
            raise HisError("a hospital code has 5 digits or 9 characters / รหัสสถานพยาบาลต้องมี 5 หลัก หรือ 9 ตัวอักษร")
        report = asyncio.run(_import(args, settings_of(args), entries))
    except (SettingRefused, TablesError, HisError, ConnectionLost, SourceError, StoreError, WorkerFailed) as error:
        return refuse(error)
    print(json.dumps(report.as_json(), ensure_ascii=False) if args.json else summary(report))
    return 1 if report.refused else 0


def _database(source: str) -> Database:
    """Raises: HisError where the address is wrong or the driver is missing."""
    address = parse_url(source, os.environ.get(PASSWORD_VARIABLE, ""))
    if PASSWORD_VARIABLE not in os.environ and sys.stdin.isatty():
        address = parse_url(source, getpass.getpass(f"password / รหัสผ่าน {address.shown}: "))
    module, name = DRIVERS[address.kind]
    try:
        made: Database = getattr(importlib.import_module(module), name)(address)
    except ModuleNotFoundError as error:
        raise HisError(
            f"the driver {error.name} is not installed: .venv/bin/python -m pip install --require-hashes "
            "--requirement requirements/his.txt / ยังไม่ได้ติดตั้งไดรเวอร์ฐานข้อมูล"
        ) from error
    return made


async def _import(args: argparse.Namespace, settings: Settings, entries: Sequence[Rows]) -> HisReport:
    if args.format == "hosxp" or "://" in args.source:
        return await _run(args, settings, entries, _database(args.source))
    path = Path(args.source)
    if not path.is_file():
        raise HisError(f"{path}: neither an address (mysql://...) nor a file / ไม่ใช่ที่อยู่ฐานข้อมูลหรือไฟล์")
    folder = Path(settings.data_folder) / "his"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        database = DumpDatabase(path, Path(place) / "dump.db", in_use(entries), args.encoding)
        try:
            with bar("dump", "B", path.stat().st_size) as loaded:
                database.load(loaded.update)
            return await _run(args, settings, entries, database)
        finally:
            database.end()


async def _run(args: argparse.Namespace, settings: Settings, entries: Sequence[Rows], database: Database) -> HisReport:
    from server.app import build_context

    ctx = await build_context(settings, wary=True)
    live = not isinstance(database, DumpDatabase)
    try:
        with bar("read", "rows") as reading, bar("import", "resources") as writing:
            reader = Reader(
                database, hcode=getattr(args, "hcode", ""), rate=args.rate if live else 0.0, told=reading.write
            )
            wanted = Wanted(
                args.format,
                entries,
                hcode=getattr(args, "hcode", ""),
                since=args.since,
                window=args.window,
                whole=args.all or not live,
                writable=args.allow_writable,
            )
            return await import_his(
                settings,
                ctx,
                database,
                reader,
                wanted,
                processes=max(1, args.processes),
                read=reading.update,
                told=lambda line: print(f"onecard: {line}", file=sys.stderr),
                advance=lambda resources, read: writing.update(resources) and None,
            )
    finally:
        await ctx.store.close()


def _listed(entries: Sequence[Rows]) -> list[str]:
    """The tables with what of them is from memory."""
    lines = []
    for each in entries:
        state = f"off: {each.off}" if each.off else f"by {each.day or each.changed or 'key, always whole'}"
        lines.append(f"{each.file} <- {each.name} ({', '.join(sorted(each.tables))}) {state}")
        for name, column in each.columns.items():
            what = " ".join(column.of) or repr(column.value)
            note = "" if column.verified or column.kind == "facility" else "  [from memory / ยังไม่ยืนยัน]"
            lines.append(f"    {name:<16}{column.kind:<10}{what}{note}")
    return lines


def summary(report: HisReport) -> str:
    """What a person reads at the end."""
    done = report.reader.done
    since = f" since {report.since:%Y-%m-%d}" if report.since else ""
    lines = [
        f"{report.source}{since}: {done.rows:,} rows in {done.statements:,} statements, {report.seconds:.1f} s, "
        f"the longest {done.longest * 1000:.0f} ms; {done.reconnects} reconnects / อ่านแล้ว"
    ]
    lines.append(summary_f43(report.imported) if report.imported else "nothing new / ไม่มีข้อมูลใหม่")
    return "\n".join(lines)
