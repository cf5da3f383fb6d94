"""Writes docs/settings.md from the table in `server.config`: `python -m conformance.settings_page`."""

from __future__ import annotations

from pathlib import Path

from server.config import TABLE

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """\
# Settings / การตั้งค่า

Made by `python -m conformance.settings_page` from the table in `server/config.py`; a test keeps it current.

A setting can stand in a TOML file (`--config FILE` or `ONECARD_CONFIG`), in the environment, or be a flag of
`onecard serve`; the later of these three wins. A wrong one is refused with the reason and exit code 2.
Lists: several flags, or one text with commas, or a TOML list.

ตั้งค่าได้สามทาง: ไฟล์ TOML, ตัวแปรสภาพแวดล้อม หรือแฟล็กของ `onecard serve` ทางหลังสุดมีผลก่อน หากตั้งค่าผิด ระบบจะไม่เริ่มและบอกเหตุผล

| file | environment | flag | value | default | |
|---|---|---|---|---|---|
"""


def settings_page() -> str:
    rows = []
    for row in TABLE.values():
        default = f"`{row.kind.show(row.default)}`" if row.kind.show(row.default) else ""
        cells = (f"`{row.name}`", f"`{row.variable}`", f"`{row.flag}`", row.kind.name, default)
        text = f"{row.english}<br>{row.thai}"
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells, text)) + " |\n")
    return _HEAD + "".join(rows)


def main() -> None:
    PAGE.write_text(settings_page(), "utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
