"""`onecard store copy|info`: a whole store into another engine, and what a store holds."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys

from server.cli import refuse
from server.cli.settings import STORE, add_settings, settings_of
from server.config import SettingRefused, Settings, load
from server.store.archive import ArchiveError
from server.store.contract import StoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    copy = actions.add_parser("copy", help="all of --store into a new, empty store / คัดลอกไปที่เก็บใหม่")
    copy.add_argument("--to", required=True, metavar="URL", help="the new store / ที่เก็บใหม่")
    info = actions.add_parser("info", help="engine, zone, resources by type, size / ข้อมูลของที่เก็บ")
    for each in (copy, info):
        add_settings(each, (*STORE, "text-search"))


def run(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
        if args.action == "info":
            asyncio.run(_info(settings))
        else:
            target = load({"store": [args.to]})
            asyncio.run(_copy(settings, dataclasses.replace(settings, store=target.store)))
    except (SettingRefused, ArchiveError, StoreError) as error:
        return refuse(error)
    return 0


async def _info(settings: Settings) -> None:
    from server.app import build_context

    ctx = await build_context(settings)
    try:
        print(json.dumps(dataclasses.asdict(await ctx.store.info()), indent=2))
    finally:
        await ctx.store.close()


async def _copy(settings: Settings, target: Settings) -> None:
    from tqdm import tqdm

    from server.app import build_context
    from server.store.transfer import copy

    source = await build_context(settings)
    try:
        ctx = await build_context(target)
        try:
            with tqdm(unit=" versions", unit_scale=True, file=sys.stderr, desc="copy") as bar:
                counts = await copy(source.store, ctx, bar.update)
        finally:
            await ctx.store.close()
    finally:
        await source.store.close()
    print(f"{sum(counts.values()):,} resources copied and verified / คัดลอกและตรวจสอบแล้ว: {target.store}")
