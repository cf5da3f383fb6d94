"""What may be wrong with a row: rules, how grave they are, and the words for the data officer.

A problem names file, row, field, the value in masked form and the reason in English and Thai; what is about a person is
never quoted, only its shape is shown (`9-9999-99999-99-9`).
"""

# ruff: noqa: E501 - a rule is one line

from __future__ import annotations

from typing import NamedTuple

from mappers.layout import Field

REFUSE = "refuse"
"""The row is set aside (quarantined) and not mapped."""
WARN = "warn"
"""The row is mapped; the text of the column is kept as it came."""

LONGEST_QUOTE = 40


class Rule(NamedTuple):
    severity: str
    english: str
    thai: str


RULES: dict[str, Rule] = {
    "encoding": Rule(REFUSE, "bytes that are neither UTF-8 nor Windows-874", "อ่านอักขระไม่ได้ (ไม่ใช่ UTF-8 หรือ Windows-874)"),
    "control": Rule(REFUSE, "a control character", "มีอักขระควบคุม"),
    "columns": Rule(REFUSE, "the number of columns is not that of the file", "จำนวนคอลัมน์ไม่ตรงกับโครงสร้างแฟ้ม"),
    "line": Rule(REFUSE, "the line is too long", "บรรทัดยาวเกินกำหนด"),
    "header": Rule(WARN, "a column that this file does not have; it is left out", "คอลัมน์ที่ไม่มีในโครงสร้างแฟ้ม จะไม่ถูกนำเข้า"),
    "required": Rule(REFUSE, "a required column is empty", "ไม่ได้บันทึกคอลัมน์ที่จำเป็น"),
    "drug": Rule(REFUSE, "the drug code is blank", "ไม่มีรหัสยา"),
    "date": Rule(REFUSE, "not a day of the calendar as YYYYMMDD", "วันที่ไม่ถูกต้อง (ต้องเป็น YYYYMMDD)"),
    "optional-date": Rule(WARN, "not a day of the calendar as YYYYMMDD", "วันที่ไม่ถูกต้อง (ต้องเป็น YYYYMMDD)"),
    "buddhist": Rule(REFUSE, "a year of the Buddhist era, where AD is expected", "บันทึกเป็นปี พ.ศ. (ต้องเป็น ค.ศ.)"),
    "year": Rule(WARN, "a year before 1880", "ปีก่อน ค.ศ. 1880"),
    "order": Rule(WARN, "the end lies before the start", "วันสิ้นสุดก่อนวันเริ่มต้น"),
    "time": Rule(WARN, "not a time of day as HHMMSS", "เวลาไม่ถูกต้อง (ต้องเป็น HHMMSS)"),
    "number": Rule(WARN, "not a number", "ไม่ใช่ตัวเลข"),
    "pressure": Rule(REFUSE, "the systolic pressure is below the diastolic", "ความดันตัวบนต่ำกว่าตัวล่าง (อาจบันทึกสลับกัน)"),
    "measure": Rule(WARN, "a measurement that no living person has", "ค่าที่วัดได้ผิดปกติมาก"),
    "code": Rule(REFUSE, "a code that the list does not have", "รหัสไม่มีในรายการรหัสมาตรฐาน"),
    "open-code": Rule(WARN, "a code that the list does not have", "รหัสไม่มีในรายการรหัสมาตรฐาน"),
    "icd": Rule(WARN, "not in the form of an ICD-10 code; it is kept as text", "รหัสโรคไม่ใช่รูปแบบ ICD-10 เก็บเป็นข้อความ"),
    "cid": Rule(REFUSE, "the check digit of the citizen id is wrong", "เลขประจำตัวประชาชนไม่ถูกต้อง"),
    "relative": Rule(WARN, "the check digit of a relative's citizen id is wrong", "เลขประจำตัวประชาชนของบุคคลในครอบครัวไม่ถูกต้อง"),
    "facility": Rule(REFUSE, "a hospital code has 5 digits or 9 characters", "รหัสสถานพยาบาลต้องมี 5 หลัก หรือ 9 ตัวอักษร"),
    "other-facility": Rule(WARN, "a hospital code has 5 digits or 9 characters", "รหัสสถานพยาบาลต้องมี 5 หลัก หรือ 9 ตัวอักษร"),
    "length": Rule(WARN, "longer than the column", "ข้อมูลยาวเกินขนาดคอลัมน์"),
    "json": Rule(REFUSE, "not a JSON object on one line with texts in it", "ไม่ใช่ข้อมูล JSON หนึ่งรายการต่อบรรทัด"),
    "card-date": Rule(REFUSE, "not a date of the card: YYYYMMDD of the Buddhist era, 00 for what is not known", "วันที่ไม่ใช่รูปแบบของบัตร (ปี พ.ศ. YYYYMMDD)"),
    "photo": Rule(WARN, "the photo is no JPEG in base64; it is not shown", "ภาพถ่ายไม่ใช่ JPEG แบบ base64 จะไม่ถูกแสดง"),
    "repeated": Rule(WARN, "the same row once more; it counts once", "แถวเดียวกันซ้ำทุกคอลัมน์ นับครั้งเดียว"),
    "duplicate": Rule(REFUSE, "a second row with the same key", "ข้อมูลซ้ำ (คีย์หลักซ้ำ)"),
}  # fmt: skip


class Problem(NamedTuple):
    """One line of the data-quality report."""

    file: str
    row: int
    """Line in the file, from 1; a header counts."""
    field: str
    """Column, or empty when the whole row is meant."""
    rule: str
    value: str
    """Masked where it is about a person, at most 40 characters otherwise."""

    @property
    def refused(self) -> bool:
        return RULES[self.rule].severity == REFUSE

    @property
    def english(self) -> str:
        return RULES[self.rule].english

    @property
    def thai(self) -> str:
        return RULES[self.rule].thai


def shape(text: str) -> str:
    """The text with every digit as 9 and every letter as A or ก: shows a wrong form, names nobody."""
    return "".join(
        "9" if each.isdigit() else "A" if each.isascii() and each.isalpha() else each if each.isascii() else "ก"
        for each in text[:LONGEST_QUOTE]
    )


def shown(field: Field, text: str) -> str:
    """The value as a report may show it."""
    if field.personal or field.type == "cid":
        return shape(text)
    return text[:LONGEST_QUOTE]
