"""`onecard store init|migrate|reindex|copy|info`: made ready, brought up to date, indexed anew, copied, shown."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import STORE, add_settings, settings_of
from server.config import TABLE, SettingRefused, Settings
from server.setting_kinds import without_password
from server.store.archive import ArchiveError
from server.store.contract import StoreError
from server.store.open import init_store, migrate_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in (
        ("init", "make a new store, or the indexes that one lacks / สร้างที่เก็บหรือดัชนีที่ขาด"),
        ("migrate", "bring a store to this program's version / ปรับรุ่นของที่เก็บ"),
        ("reindex", "index all resources anew, also for another --timezone / สร้างดัชนีใหม่"),
        ("copy", "all of --store into a new, empty store / คัดลอกไปที่เก็บใหม่"),
        ("info", "engine, zone, resources by type, size / ข้อมูลของที่เก็บ"),
    ):
        action = actions.add_parser(name, help=text)
        add_settings(action, (*STORE, "text-search"))
        if name == "copy":
            action.add_argument("--to", required=True, metavar="URL", help="the new store / ที่เก็บใหม่")


def run(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
        if args.action == "copy":
            asyncio.run(_copy(settings, dataclasses.replace(settings, store=_target(args.to))))
        else:
            asyncio.run(_ACTIONS[args.action](settings))
    except (SettingRefused, ArchiveError, StoreError) as error:
        return refuse(error)
    return 0


def _target(url: str) -> str:
    """Raises: SettingRefused."""
    try:
        return str(TABLE["store"].kind.parse(url))
    except ValueError as error:
        raise SettingRefused(f"--to: {error}; found {without_password(url)!r}") from None


async def _init(settings: Settings) -> None:
    from server.app import build_context

    with _Steps("init") as steps:
        there, made = await init_store(settings.store, settings.timezone, steps.step)
    ctx = await build_context(settings, must_exist=True)  # ready is what opens: not one that a restore left half filled
    await ctx.store.close()
    print(f"ready: {there} indexes, {made} made now / พร้อมใช้: ดัชนี {there} สร้างใหม่ {made}")


async def _migrate(settings: Settings) -> None:
    with _Steps("migrate") as steps:
        before, now = await migrate_store(settings.store, steps.step)
    print(f"version {before} -> {now} / รุ่น {before} -> {now}" if before < now else f"version {now} / รุ่น {now}")


async def _reindex(settings: Settings) -> None:
    from server.app import build_context

    ctx = await build_context(settings, rezone=True, must_exist=True)
    try:
        await ctx.reindexing.start()  # stored search parameters count too
        with _Steps("reindex", unit="resources") as steps:
            await ctx.store.rezone(settings.timezone, lambda done, total: steps.step("reindex", done, total))
            total = steps.total
    finally:
        await ctx.reindexing.close()
        await ctx.store.close()
    print(f"{total:,} resources, dates in {settings.timezone} / สร้างดัชนีใหม่แล้ว {total:,} รายการ")


async def _info(settings: Settings) -> None:
    from server.app import build_context

    ctx = await build_context(settings, must_exist=True)
    try:
        print(json.dumps(dataclasses.asdict(await ctx.store.info()), indent=2))
    finally:
        await ctx.store.close()


_ACTIONS: dict[str, Callable[[Settings], Any]] = {
    "init": _init,
    "migrate": _migrate,
    "reindex": _reindex,
    "info": _info,
}


async def _copy(settings: Settings, target: Settings) -> None:
    from server.app import build_context
    from server.store.transfer import copy

    source = await build_context(settings, must_exist=True)
    try:
        ctx = await build_context(target)
        try:
            with bar("copy", "versions") as shown:
                counts = await copy(source.store, ctx, shown.update)
        finally:
            await ctx.store.close()
    finally:
        await source.store.close()
    print(
        f"{sum(counts.values()):,} resources copied and verified / คัดลอกและตรวจสอบแล้ว: {without_password(target.store)}"
    )


class _Steps:
    """A bar for work that tells what it does and how far it is."""

    def __init__(self, name: str, unit: str = "steps") -> None:
        self._bar = bar(name, unit)

    @property
    def total(self) -> int:
        return int(self._bar.total or 0)

    def step(self, what: str, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.set_description(what, refresh=False)
        self._bar.n = done
        self._bar.refresh()

    def __enter__(self) -> _Steps:
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.close()
