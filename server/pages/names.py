"""Thai names of the resource types that a health facility meets every day; the others are shown by their FHIR name."""

from __future__ import annotations

THAI: dict[str, str] = {
    "Account": "บัญชีค่าใช้จ่าย",
    "AllergyIntolerance": "การแพ้",
    "Appointment": "นัดหมาย",
    "AuditEvent": "บันทึกการเข้าถึง",
    "Binary": "แฟ้มดิบ",
    "Bundle": "ชุดข้อมูล",
    "CarePlan": "แผนการดูแล",
    "ChargeItem": "รายการค่าบริการ",
    "Claim": "การเบิกจ่าย",
    "ClaimResponse": "ผลการเบิกจ่าย",
    "Composition": "เอกสารทางคลินิก",
    "Condition": "การวินิจฉัย",
    "Consent": "ความยินยอม",
    "Coverage": "สิทธิการรักษา",
    "Device": "อุปกรณ์",
    "DiagnosticReport": "รายงานผลตรวจ",
    "DocumentReference": "เอกสารอ้างอิง",
    "Encounter": "การรับบริการ",
    "EpisodeOfCare": "ช่วงการดูแล",
    "Group": "กลุ่มบุคคล",
    "Immunization": "วัคซีน",
    "List": "รายการ",
    "Location": "สถานที่",
    "Medication": "ยา",
    "MedicationDispense": "การจ่ายยา",
    "MedicationRequest": "การสั่งยา",
    "MedicationStatement": "การใช้ยา",
    "Observation": "ผลการตรวจ/สัญญาณชีพ",
    "OperationOutcome": "ผลการทำงาน",
    "Organization": "หน่วยงาน",
    "Patient": "ผู้ป่วย",
    "Practitioner": "บุคลากรสุขภาพ",
    "PractitionerRole": "บทบาทบุคลากร",
    "Procedure": "หัตถการ",
    "Provenance": "ที่มาของข้อมูล",
    "Questionnaire": "แบบสอบถาม",
    "QuestionnaireResponse": "คำตอบแบบสอบถาม",
    "RelatedPerson": "ญาติ/ผู้เกี่ยวข้อง",
    "Schedule": "ตารางเวลา",
    "ServiceRequest": "ใบส่งตรวจ/ส่งต่อ",
    "Slot": "ช่วงเวลานัด",
    "Specimen": "สิ่งส่งตรวจ",
    "Task": "งาน",
}


def thai_name(resource_type: str) -> str:
    return THAI.get(resource_type, resource_type)
