"""`onecard identity split|merge`: which registrations of hospitals are one person."""

from __future__ import annotations

import argparse
import asyncio
import json

from server.cli import refuse
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.errors import FhirError
from server.intake.f43.rejoin import Moved, merge, split
from server.store.contract import StoreError

SETTINGS = ("store", "timezone", "data-folder", "base-url", "referential-integrity", "text-search")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    apart = actions.add_parser("split", help="every registration gets its own Patient / แยกทะเบียน")
    apart.add_argument("patient", metavar="PATIENT", help="id of the Patient")
    together = actions.add_parser("merge", help="PATIENT is the same person as INTO / รวมเป็นคนเดียวกัน")
    together.add_argument("patient", metavar="PATIENT", help="id of the Patient that becomes inactive")
    together.add_argument("into", metavar="INTO", help="id of the Patient that stays")
    for each in (apart, together):
        each.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
        add_settings(each, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """0 done, 2 if it cannot be done."""
    try:
        moved = asyncio.run(_move(args, settings_of(args)))
    except (SettingRefused, StoreError, FhirError) as error:
        return refuse(error)
    if args.json:
        print(json.dumps({"patients": moved.patients, "resources": moved.resources}))
    else:
        patients = ", ".join(f"Patient/{each}" for each in moved.patients)
        print(f"{patients}; {moved.resources:,} resources moved / ย้ายแล้ว")
    return 0


async def _move(args: argparse.Namespace, settings: Settings) -> Moved:
    from server.app import build_context

    ctx = await build_context(settings)
    try:
        if args.action == "split":
            return await split(ctx, _id(args.patient))
        return await merge(ctx, _id(args.patient), _id(args.into))
    finally:
        await ctx.store.close()


def _id(text: str) -> str:
    return text.removeprefix("Patient/")
