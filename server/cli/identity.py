"""`onecard identity review|split|merge|keep-apart`: which registrations of hospitals are one person."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

from server.cli import refuse
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.context import Context
from server.errors import FhirError
from server.intake.f43 import review
from server.intake.f43.rejoin import Moved, merge, split
from server.store.contract import StoreError

SETTINGS = (
    *("store", "timezone", "data-folder", "base-url", "referential-integrity", "text-search"),
    *("cid-dummies", "cid-facility-prefixes", "identity-precedence", "d-update-days-ahead"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("review", help="one citizen id, but something contradicts / รอตรวจสอบ")
    listing.add_argument("--all", action="store_true", help="also what was decided / รวมที่ตัดสินแล้ว")
    stay = actions.add_parser("keep-apart", help="an entry of the list is two persons / เป็นคนละคนกัน")
    stay.add_argument("entry", metavar="ENTRY", help="id of the entry, from review")
    apart = actions.add_parser("split", help="every registration gets its own Patient / แยกทะเบียน")
    apart.add_argument("patient", metavar="PATIENT", help="id of the Patient")
    together = actions.add_parser("merge", help="PATIENT is the same person as INTO / รวมเป็นคนเดียวกัน")
    together.add_argument("patient", metavar="PATIENT", help="id of the Patient that becomes inactive")
    together.add_argument("into", metavar="INTO", help="id of the Patient that stays")
    for each in (listing, stay, apart, together):
        each.add_argument("--json", action="store_true", help="summary as JSON on standard output / สรุปเป็น JSON")
        add_settings(each, SETTINGS)


def run(args: argparse.Namespace) -> int:
    """0 done, 2 if it cannot be done."""
    try:
        told, text = asyncio.run(_act(args, settings_of(args)))
    except (SettingRefused, StoreError, FhirError) as error:
        return refuse(error)
    print(json.dumps(told, ensure_ascii=False) if args.json else text)
    return 0


async def _act(args: argparse.Namespace, settings: Settings) -> tuple[Any, str]:
    """What is told, as JSON and as text."""
    from server.app import build_context

    ctx = await build_context(settings, must_exist=True)
    try:
        if args.action == "review":
            return _listed(await review.pairs(ctx, decided=args.all))
        if args.action == "keep-apart":
            await review.keep_apart(ctx, args.entry.removeprefix("Task/"))
            return {"entry": args.entry, "decided": review.KEPT_APART}, "kept apart / แยกกันไว้"
        return _moved(await _move(args, ctx))
    finally:
        await ctx.store.close()


async def _move(args: argparse.Namespace, ctx: Context) -> Moved:
    patient = args.patient.removeprefix("Patient/")
    if args.action == "split":
        moved = await split(ctx, patient)
        await review.settle(ctx, set(moved.patients), review.SPLIT)
        return moved
    into = args.into.removeprefix("Patient/")
    moved = await merge(ctx, patient, into)
    await review.settle(ctx, {patient, into}, review.MERGED)
    return moved


def _listed(pairs: list[review.Pair]) -> tuple[Any, str]:
    lines = [
        f"{each.id}  {each.sources[0]} (Patient/{each.patients[0]})  {each.sources[1]} (Patient/{each.patients[1]})  "
        f"{', '.join(each.reasons)}  {each.decided}".rstrip()
        for each in pairs
    ]
    return [each.as_json() for each in pairs], "\n".join(lines) or "nothing to review / ไม่มีรายการรอตรวจสอบ"


def _moved(moved: Moved) -> tuple[Any, str]:
    patients = ", ".join(f"Patient/{each}" for each in moved.patients)
    told = {"patients": moved.patients, "resources": moved.resources}
    return told, f"{patients}; {moved.resources:,} resources moved / ย้ายแล้ว"
