"""`onecard validate PATH...`: FHIR files against FHIR and profiles, without a store."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from server.cli import refuse
from server.cli.progress import bar
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings
from server.intake.checking import CheckReport, check_files
from server.intake.documents import Source, SourceError, find_sources

_SHOWN = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="JSON, NDJSON, .gz, .zip, folders")
    parser.add_argument("--profile", action="append", default=[], metavar="URL", help="that all have to meet / โปรไฟล์")
    parser.add_argument("--json", action="store_true", help="report as JSON on standard output / รายงานเป็น JSON")
    add_settings(parser, ("data-folder", "max-body-bytes"))


def run(args: argparse.Namespace) -> int:
    """0 if all could be stored, 1 if not, 2 if nothing could be read."""
    try:
        report = _check(settings_of(args), find_sources(args.paths), args.profile)
    except (SettingRefused, SourceError) as error:
        return refuse(error)
    print(json.dumps(report.as_json(), ensure_ascii=False) if args.json else _text(report))
    return 1 if report.invalid or report.errors else 0


def _check(settings: Settings, sources: list[Source], profiles: list[str]) -> CheckReport:
    from fhir_profiles.validation import Validator
    from server.knowledge import knowledge

    definitions, terminology = knowledge(settings)
    unknown = [url for url in profiles if not definitions.has_structure(url)]
    if unknown:
        raise SettingRefused(f"{unknown[0][:200]}: no profile that is known here / ไม่รู้จักโปรไฟล์นี้")
    validator = Validator(definitions, terminology)
    with bar("validate", "documents") as shown:
        return check_files(
            validator,
            sources,
            largest=settings.max_body_bytes,
            max_depth=settings.max_depth,
            profiles=profiles,
            advance=shown.update,
        )


def _text(report: CheckReport) -> str:
    lines = [
        f"{each['source']} {each['document']} {each['resource']}: {each['severity']} at {each['expression'] or '-'}: "
        f"{each['diagnostics']}"
        for each in report.issues[:_SHOWN]
    ]
    lines += report.errors
    lines.append(f"{report.resources:,} resources, {report.invalid:,} with errors / ไม่ถูกต้อง")
    return "\n".join(lines)
