"""`onecard restore FILE --store URL`: a backup into a new, empty store, verified at the end."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

from server.cli import refuse
from server.cli.backup import asked
from server.cli.progress import bar
from server.cli.settings import STORE, add_settings, settings_of
from server.config import SettingRefused, Settings
from server.setting_kinds import without_password
from server.store.archive import MAGIC, ArchiveError
from server.store.contract import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--identity", type=Path, metavar="FILE", help="age identity file of a --recipient backup / แฟ้มกุญแจส่วนตัว"
    )
    add_settings(parser, (*STORE, "text-search"))


def run(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
        counts = asyncio.run(_restore(settings, args.file, _keys(args)))
    except (SettingRefused, ArchiveError, StoreError, OSError, ValueError) as error:
        return refuse(error)
    total = sum(counts.values())
    print(f"{total:,} resources restored and verified / กู้คืนและตรวจสอบแล้ว: {without_password(settings.store)}")
    return 0


def _keys(args: argparse.Namespace) -> dict[str, Any]:
    with args.file.open("rb") as source:
        head = source.readline(4096).decode("utf-8", "replace")
    if head.startswith(f"{MAGIC} passphrase"):
        given = os.environ.get("ONECARD_PASSPHRASE")
        return {"passphrase": given or asked("Passphrase of the backup / วลีรหัสผ่าน: ")}
    if args.identity:
        lines = args.identity.read_text().splitlines()
        return {"identities": [line.strip() for line in lines if line.strip() and not line.startswith("#")]}
    return {}


async def _restore(settings: Settings, file: Path, keys: dict[str, Any]) -> dict[str, int]:
    from server.app import build_context
    from server.store.transfer import check_backup, restore

    with file.open("rb") as source:
        with bar("check", "versions") as checked:
            parameters = await asyncio.to_thread(check_backup, source, checked.update, **keys)
        source.seek(0)
        ctx = await build_context(settings)
        try:
            with bar("restore", "versions") as restored:
                return await restore(ctx, source, parameters, restored.update, **keys)
        finally:
            await ctx.store.close()
