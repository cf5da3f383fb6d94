"""`onecard backup FILE`: all versions and the store's keys into one file, while the server serves."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import warnings
from pathlib import Path

from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import STORE, add_settings, refuse_missing_folder, settings_of
from server.config import SettingRefused, Settings
from server.store.archive import ArchiveError, Protection
from server.store.contract import StoreError

SHORTEST_PASSPHRASE = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file / แฟ้มใหม่")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--recipient",
        action="append",
        default=[],
        metavar="AGE-KEY",
        help="age public key (age1...) that may restore it; repeatable / กุญแจสาธารณะของผู้กู้คืน",
    )
    kind.add_argument("--plain", action="store_true", help="not encrypted / ไม่เข้ารหัส")
    add_settings(parser, STORE)


def run(args: argparse.Namespace) -> int:
    """Without --recipient and --plain the passphrase is asked for, or taken from ONECARD_PASSPHRASE."""
    try:
        settings = settings_of(args)
        protection = _protection(args)
        asyncio.run(_backup(settings, args.file, protection))
    except FileExistsError:
        return refuse(f"{args.file} is there already: choose another name")
    except (SettingRefused, ArchiveError, StoreError, OSError, ValueError) as error:
        return refuse(error)
    return 0


def _protection(args: argparse.Namespace) -> Protection:
    if args.plain:
        return Protection(plain=True)
    if args.recipient:
        return Protection(recipients=tuple(args.recipient))
    return Protection(passphrase=new_passphrase())


def new_passphrase() -> str:
    """Raises: ValueError if it is too short, or typed differently the second time."""
    given = os.environ.get("ONECARD_PASSPHRASE")
    if given is None:
        given = asked("Passphrase of the backup / วลีรหัสผ่านของไฟล์สำรอง: ")
        if asked("Once more / อีกครั้ง: ") != given:
            raise ValueError("the two passphrases differ")
    if len(given) < SHORTEST_PASSPHRASE:
        raise ValueError(f"the passphrase needs at least {SHORTEST_PASSPHRASE} characters: several words are good")
    return given


def asked(question: str) -> str:
    """A passphrase that is typed. Raises: ValueError where nobody can, as in a scheduled job."""
    try:
        with warnings.catch_warnings(action="ignore", category=getpass.GetPassWarning):
            return getpass.getpass(question)
    except EOFError:
        raise ValueError("no passphrase was given: type it, or set ONECARD_PASSPHRASE / ไม่ได้ระบุรหัสผ่าน") from None


async def _backup(settings: Settings, file: Path, protection: Protection) -> None:
    """The file appears under its name only when it is whole."""
    from server.app import build_context
    from server.store.transfer import backup

    if file.exists():
        raise FileExistsError
    refuse_missing_folder(file)
    part = file.with_name(file.name + ".part")
    ctx = await build_context(settings, must_exist=True)
    try:
        with (
            os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out,
            bar("backup", "versions") as shown,
        ):
            await backup(ctx.store, out, protection, shown.update)
            out.flush()
            os.fsync(out.fileno())
            versions = shown.n
        os.rename(part, file)
    finally:
        part.unlink(missing_ok=True)
        await ctx.store.close()
    print(f"{versions:,} versions, {file.stat().st_size:,} bytes in {file} / สำรองข้อมูลแล้ว")
