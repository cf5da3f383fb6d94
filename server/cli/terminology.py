"""`onecard terminology load|list|remove`: code systems that cannot be shipped, from their publishers' files.

They are kept as read-only files in <data-folder>/terminology, beside either store; a server reads them at its start.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused
from terminology.loaders.load import LOADERS, Outcome, listing, load
from terminology.loaders.tables import LoadError
from terminology.storage import SUFFIX


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    known = "\n".join(f"  {name:10} {loader.title}: {loader.expects}" for name, loader in LOADERS.items())
    loading = actions.add_parser(
        "load",
        help="load a code system from its publisher's file / นำเข้าระบบรหัส",
        epilog=f"SYSTEM is one of:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    loading.add_argument("system", choices=LOADERS, metavar="SYSTEM", help="which one, see below / ระบบรหัส")
    loading.add_argument("file", type=Path, metavar="FILE", help="file, folder or zip as published / แฟ้มต้นฉบับ")
    loading.add_argument("--version", metavar="TEXT", help="version of the release, such as 2019 / รุ่น")
    loading.add_argument("--url", metavar="URL", help="canonical of the code system; csv needs it / URL ของระบบรหัส")
    loading.add_argument("--name", metavar="TEXT", help="what it is called / ชื่อ")
    listed = actions.add_parser("list", help="what is loaded / แสดงระบบรหัสที่มี")
    removing = actions.add_parser("remove", help="delete a loaded code system / ลบระบบรหัส")
    removing.add_argument("file", metavar="FILE", help="its file name, as list shows it / ชื่อแฟ้ม")
    for each in (loading, listed, removing):
        each.add_argument("--json", action="store_true", help="answer as JSON on standard output / สรุปเป็น JSON")
        add_settings(each, ("data-folder",))


def run(args: argparse.Namespace) -> int:
    """0 done, 2 refused with the reason."""
    try:
        folder = settings_of(args).terminology_folder
        return {"load": _load, "list": _list, "remove": _remove}[args.action](folder, args)
    except (SettingRefused, LoadError, OSError, ValueError) as error:
        return refuse(error)


def _load(folder: Path, args: argparse.Namespace) -> int:
    with bar(args.system, "codes") as shown:
        outcome = load(
            args.system,
            args.file,
            folder,
            url=args.url,
            version=args.version,
            name=args.name,
            progress=lambda done: shown.update(done - shown.n),
        )
    print(json.dumps(as_json(outcome), ensure_ascii=False) if args.json else summary(outcome))
    return 0


def _list(folder: Path, args: argparse.Namespace) -> int:
    rows = listing(folder)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False))
        return 0
    for row in rows:
        print(f"{row['url']}|{row['version'] or ''}  {row['concepts']:,} codes  {row['name']}  {row['file']}")
    return 0


def _remove(folder: Path, args: argparse.Namespace) -> int:
    if args.file not in {path.name for path in folder.glob("*" + SUFFIX)}:
        raise LoadError(f"{args.file} is not one of those that `onecard terminology list` shows")
    (folder / args.file).unlink()
    print(json.dumps({"removed": args.file}) if args.json else f"removed / ลบแล้ว: {args.file}")
    return 0


def as_json(outcome: Outcome) -> dict[str, object]:
    loaded = outcome.loaded
    return {
        "url": outcome.header.url,
        "version": outcome.header.version,
        "file": outcome.path.name,
        "concepts": loaded.concepts,
        "duplicates": loaded.duplicates,
        "unknownParents": loaded.unknown_parents,
        "skipped": outcome.report.skipped,
        "reasons": outcome.report.reasons,
    }


def summary(outcome: Outcome) -> str:
    """What a person reads at the end."""
    header, loaded, report = outcome.header, outcome.loaded, outcome.report
    lines = [
        f"{loaded.concepts:,} codes of {header.name} in {outcome.path.name} / นำเข้าแล้ว",
        f"{loaded.duplicates:,} codes came twice, the first was kept / รหัสซ้ำ" if loaded.duplicates else "",
        f"{loaded.unknown_parents:,} parents are no codes of the file" if loaded.unknown_parents else "",
        f"{report.skipped:,} rows left out / แถวที่ไม่นำเข้า:" if report.skipped else "",
        *(f"  {reason}" for reason in report.reasons[:10]),
        "A running server sees it after a restart / เริ่มเซิร์ฟเวอร์ใหม่จึงจะใช้ได้",
    ]
    return "\n".join(line for line in lines if line)
