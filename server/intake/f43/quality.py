"""The data-quality report of an import: what a hospital's data officer can act on, as one HTML page and one CSV table.

No value of a person is in it, only shapes (`9999999999999`); row numbers lead back to the file.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import IO

from mappers.problems import RULES
from server.intake.f43.jobs import Counts, Refusal
from server.intake.f43.report import Report

SHOWN = 500
"""Rows that the page lists; the table has all."""
COLUMNS = ("file", "row", "field", "value", "rule", "refused", "reason", "เหตุผล")
_COUNTS = (
    ("read", "อ่าน"),
    ("mapped", "นำเข้า"),
    ("unchanged", "ไม่เปลี่ยนแปลง"),
    ("older", "เก่ากว่าที่มี"),
    ("refused", "ไม่รับ"),
    ("unresolved", "อ้างถึงสิ่งที่ไม่มี"),
    ("elsewhere", "มีจากแหล่งอื่นแล้ว"),
    ("resources", "ทรัพยากร FHIR"),
)
_STYLE = """body{font:15px/1.5 system-ui,"Noto Sans Thai",sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #bbb;padding:.2rem .6rem;text-align:left}
td.n{text-align:right}tr.grave td:first-child{border-left:4px solid #b00020}svg text{font:12px system-ui,sans-serif}"""


def write_report(folder: Path, report: Report, problems: Iterable[Refusal]) -> None:
    """Both files next to the quarantine (mode 0600), named in the report."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    table, page = folder / f"{report.import_id}.csv", folder / f"{report.import_id}.html"
    shown: list[Refusal] = []
    with _private(table) as stream:
        rows = csv.writer(stream)
        rows.writerow(COLUMNS)
        for each in problems:
            rows.writerow(
                (
                    *(each.file, each.row, each.field, _inert(each.value), each.rule),
                    *("yes" if each.grave else "no", _inert(each.english), _inert(each.thai)),
                )
            )
            if len(shown) < SHOWN:
                shown.append(each)
    with _private(page) as stream:
        stream.write(_page(report, shown))
    report.html, report.csv = str(page), str(table)


def _private(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # With a byte order mark spreadsheets read Thai as it is.
    return os.fdopen(descriptor, "w", encoding="utf-8-sig" if path.suffix == ".csv" else "utf-8", newline="")


def _inert(text: str) -> str:
    """Never a formula in a spreadsheet."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _page(report: Report, shown: Sequence[Refusal]) -> str:
    total = Counts()
    for counts in report.files.values():
        total.add(counts)
    parts = [
        f"<h1>คุณภาพข้อมูล / Data quality</h1><p>{escape(report.source)} · {escape(report.import_id)} · "
        f"{total.read:,} rows, {total.refused:,} refused, {report.seconds:.1f} s</p>",
        *(f"<p><strong>{escape(error)}</strong></p>" for error in report.errors),
        _counts(report.files, total),
        "<h2>แถวที่ไม่รับ / Refused rows by file</h2>",
        _bars([(file, counts.refused) for file, counts in report.files.items() if counts.refused]),
        "<h2>เหตุผล / Reasons</h2>",
        _bars(_reasons(report.rules)),
        _reviews(report),
        f"<h2>รายการ / Rows</h2><p>{len(shown):,} รายการแรก ทั้งหมดอยู่ในไฟล์ CSV ข้างหน้านี้ / "
        f"The first {len(shown):,}; all of them are in the CSV table beside this page.</p>",
        _rows(shown),
    ]
    head = f'<!doctype html><html lang="th"><meta charset="utf-8"><title>{escape(report.import_id)}</title>'
    return f"{head}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>"


def _counts(files: dict[str, Counts], total: Counts) -> str:
    head = "".join(f"<th>{thai}<br>{name}</th>" for name, thai in _COUNTS)
    lines = [
        f"<tr><td>{file}</td>"
        + "".join(f'<td class="n">{getattr(counts, name):,}</td>' for name, _ in _COUNTS)
        + "</tr>"
        for file, counts in [*files.items(), ("รวม / all", total)]
    ]
    return f"<table><tr><th>แฟ้ม / file</th>{head}</tr>{''.join(lines)}</table>"


def _reasons(rules: dict[tuple[str, str, str], int]) -> list[tuple[str, int]]:
    """The most frequent first: `SERVICE.SBP: the systolic ...`."""
    most = sorted(rules.items(), key=lambda each: -each[1])[:30]
    return [
        (f"{file}{'.' if name else ''}{name}: {RULES[rule].thai if rule in RULES else rule}", number)
        for (file, name, rule), number in most
    ]


def _bars(rows: Sequence[tuple[str, int]]) -> str:
    """A bar chart as SVG."""
    if not rows:
        return "<p>ไม่มี / none</p>"
    longest = max(number for _, number in rows)
    bars = [
        f'<text x="0" y="{18 * i + 13}">{escape(name[:60])}</text>'
        f'<rect x="420" y="{18 * i + 3}" width="{max(1, 300 * number // longest)}" height="12" fill="#b00020"/>'
        f'<text x="{428 + 300 * number // longest}" y="{18 * i + 13}">{number:,}</text>'
        for i, (name, number) in enumerate(rows)
    ]
    height = 18 * len(rows) + 6
    return f'<svg role="img" width="820" height="{height}" viewBox="0 0 820 {height}">{"".join(bars)}</svg>'


def _reviews(report: Report) -> str:
    if not report.reviews:
        return ""
    lines = [
        f"<tr><td>{escape(each.one)}</td><td>{escape(each.other)}</td><td>{escape(', '.join(each.reasons))}</td></tr>"
        for each in report.reviews[:SHOWN]
    ]
    head = "<tr><th>facility/PID</th><th>facility/PID</th><th>contradiction</th></tr>"
    return f"<h2>เลขประจำตัวเดียวกันแต่ข้อมูลขัดแย้ง / Same citizen id, kept apart</h2><table>{head}{''.join(lines)}</table>"


def _rows(shown: Sequence[Refusal]) -> str:
    lines = [
        f'<tr class="{"grave" if each.grave else ""}"><td>{each.file}</td><td class="n">{each.row}</td>'
        f"<td>{escape(each.field)}</td><td>{escape(each.value)}</td><td>{escape(each.thai)}<br>{escape(each.english)}</td></tr>"
        for each in shown
    ]
    head = "<tr><th>แฟ้ม</th><th>แถว / row</th><th>คอลัมน์</th><th>ค่า (ปกปิด)</th><th>เหตุผล / reason</th></tr>"
    return f"<table>{head}{''.join(lines)}</table>"
