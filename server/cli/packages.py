"""`onecard packages add|list|remove`: profiles, value sets, code systems and search parameters of FHIR packages.

They are kept in the store, so that all workers and machines know them; running servers take them up within seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.context import Context
from server.own_definitions import own_package
from server.package_reading import PackageError, read_package
from server.store.contract import StoreError

SETTINGS = ("store", "timezone", "data-folder", "base-url")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    adding = actions.add_parser("add", help="add or renew packages / เพิ่มแพ็กเกจ")
    adding.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help=".tgz as published; none: OneCard's own / แฟ้ม .tgz"
    )
    listed = actions.add_parser("list", help="what is there / แสดงแพ็กเกจที่มี")
    removing = actions.add_parser("remove", help="take a package away / ลบแพ็กเกจ")
    removing.add_argument("name", metavar="NAME", help="its name, as list shows it / ชื่อแพ็กเกจ")
    for each in (adding, listed, removing):
        each.add_argument("--json", action="store_true", help="answer as JSON on standard output / สรุปเป็น JSON")
        add_settings(each, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """0 done, 2 refused with the reason."""
    try:
        asyncio.run(_run(args, settings_of(args)))
    except (SettingRefused, PackageError, StoreError, OSError) as error:
        return refuse(error)
    return 0


async def _run(args: argparse.Namespace, settings: Settings) -> None:
    from server.app import build_context

    ctx = await build_context(settings, must_exist=args.action != "add", wary=True)
    try:
        # Profiles of packages that are here already: new ones may build upon them.
        await ctx.conformance.start()
        await _ACTIONS[args.action](ctx, args)
    finally:
        await ctx.conformance.close()
        await ctx.store.close()


async def _add(ctx: Context, args: argparse.Namespace) -> None:
    from server.packages import add

    rows = []
    for package in map(read_package, args.files) if args.files else [own_package()]:
        with bar(package.label, "definitions", len(package.resources)) as shown:
            added = await add(ctx, package, shown.update)
        rows.append(added)
        if not args.json:
            print(f"{package.label}: {_counted(added.counts)}; {added.removed} of an earlier version removed / เพิ่มแล้ว")
            for missing in added.missing:
                print(f"  it builds upon {missing}, which is not here / ยังไม่มีแพ็กเกจ {missing}")
    if args.json:
        print(json.dumps([asdict(each) for each in rows], ensure_ascii=False))


async def _list(ctx: Context, args: argparse.Namespace) -> None:
    from server.packages import listing

    rows = await listing(ctx)
    if args.json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        print(f"{row['name']}#{row['version']}  {_counted(row['counts'])}")


async def _remove(ctx: Context, args: argparse.Namespace) -> None:
    from server.packages import remove

    removed = await remove(ctx, args.name)
    print(json.dumps({"removed": removed}) if args.json else f"{removed} definitions removed / ลบแล้ว")


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


_ACTIONS: Mapping[str, Callable[[Context, argparse.Namespace], Awaitable[None]]] = {
    "add": _add,
    "list": _list,
    "remove": _remove,
}
