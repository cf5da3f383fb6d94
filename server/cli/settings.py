"""Flags of the settings table, for the commands that take settings."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

from server.config import TABLE, SettingRefused, Settings, load
from server.setting_kinds import YES_NO

# What a command that opens the store needs to know.
STORE = ("store", "timezone", "data-folder")


def add_settings(parser: argparse.ArgumentParser, names: Collection[str] = tuple(TABLE)) -> None:
    """A flag per setting, and --config FILE. Defaults stay out of argparse: file and environment come before flags."""
    parser.add_argument("--config", metavar="FILE", help="settings in TOML / ไฟล์ตั้งค่า (ONECARD_CONFIG)")
    for name in names:
        row = TABLE[name]
        text = f"{row.english} / {row.thai} [{row.kind.show(row.default) or '-'}]".replace("%", "%%")
        if row.kind is YES_NO:
            flags = parser.add_mutually_exclusive_group()
            flags.add_argument(row.flag, dest=row.field, action="append_const", const="true", help=text)
            flags.add_argument(
                f"--no-{name}", dest=row.field, action="append_const", const="false", help=argparse.SUPPRESS
            )
        else:
            parser.add_argument(row.flag, dest=row.field, action="append", metavar=row.kind.name, help=text)


def settings_of(args: argparse.Namespace) -> Settings:
    """Settings of file, environment and these flags. Raises: SettingRefused."""
    flags = {name: value for name, row in TABLE.items() if (value := getattr(args, row.field, None)) is not None}
    return load(flags, file=args.config)


def refuse_missing_folder(file: Path) -> None:
    """For a command that writes a file. Raises: SettingRefused."""
    if not file.parent.is_dir():
        raise SettingRefused(f"{file}: there is no folder {file.parent}; make it first / ไม่มีโฟลเดอร์นี้ โปรดสร้างก่อน")
