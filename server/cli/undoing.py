"""`onecard import undo ID`: what one import of hospital data wrote is taken back."""

from __future__ import annotations

import argparse
import asyncio
import json

from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.intake.documents import SourceError
from server.intake.f43.undo import Undone, undo
from server.store.contract import StoreError

SETTINGS = ("store", "timezone", "data-folder", "base-url", "referential-integrity", "text-search")
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="id of the import, from its summary / รหัสการนำเข้า")
    parser.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
    add_settings(parser, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """0 if nothing of it is left, 1 if something was changed since and stays, 2 if there is no such import."""
    try:
        undone = asyncio.run(_undo(args.id, settings_of(args)))
    except (SettingRefused, SourceError, StoreError) as error:
        return refuse(error)
    if args.json:
        print(json.dumps(undone.as_json()))
    else:
        print(f"{undone.deleted:,} deleted / ลบ, {undone.restored:,} as they were before / คืนค่าเดิม")
        if undone.kept:
            shown = ", ".join(undone.kept[:_SHOWN])
            print(f"{len(undone.kept):,} stay, changed or needed since / คงไว้เพราะถูกแก้ไขหรือใช้งานภายหลัง: {shown}")
    return 1 if undone.kept else 0


async def _undo(import_id: str, settings: Settings) -> Undone:
    from server.app import build_context

    ctx = await build_context(settings, must_exist=True)
    try:
        with bar("undo", "groups") as shown:
            return await undo(ctx, import_id, advance=shown.update)
    finally:
        await ctx.store.close()
