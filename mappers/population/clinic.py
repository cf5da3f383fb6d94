"""What happens in a rural Thai clinic, as tables: diseases, drugs, laboratory tests, vaccines, procedures, charges.

ICD-10 http://hl7.org/fhir/sid/icd-10, LOINC http://loinc.org, UCUM http://unitsofmeasure.org, ATC http://www.whocc.no/atc,
ICD-9-CM procedures http://terminology.hl7.org/CodeSystem/icd9cm. Frequencies are plausible, not epidemiology.
"""

# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

from typing import NamedTuple


class Disease(NamedTuple):
    code: str
    english: str
    thai: str
    complaint: str
    """What the patient says at the desk."""
    weight: int
    """How often, beside the other acute diseases; 0: never drawn at random."""
    ages: tuple[int, int]
    drugs: tuple[str, ...]
    fever: float = 0.0
    """Degrees above 36.8 in the mean."""
    lab: tuple[str, ...] = ()
    procedure: str = ""


class Medicine(NamedTuple):
    code: str
    """The facility's own drug code."""
    name: str
    atc: str
    unit: str
    """Thai word for the unit that is handed out."""
    dose: str
    """Direction for the patient."""
    per_day: int
    price: float
    """baht a unit"""


class Test(NamedTuple):
    local: str
    """Facility code and two-digit LABTEST of the 43 files where there is one."""
    labtest: str
    loinc: str
    name: str
    unit: str
    low: float
    high: float
    decimals: int
    price: int


class Vaccine(NamedTuple):
    code: str
    name: str
    cvx: str
    """http://hl7.org/fhir/sid/cvx, empty where the mapping is not certain."""
    months: int
    """Age at which it is due; -1: not part of the child programme."""


def _by_first(*rows: Disease) -> dict[str, Disease]:
    return {row.code: row for row in rows}


DISEASES = _by_first(
    Disease("J00", "Acute nasopharyngitis", "ไข้หวัด", "ไข้ ไอ มีน้ำมูก 2 วัน", 18, (0, 99), ("PARA", "CPM", "GG"), 0.9),
    Disease("J02.9", "Acute pharyngitis", "คออักเสบ", "เจ็บคอ ไข้ 3 วัน", 10, (2, 99), ("PARA", "AMOX"), 1.1),
    Disease("J06.9", "Acute upper respiratory infection", "ติดเชื้อทางเดินหายใจส่วนบน", "ไอ เจ็บคอ", 9, (0, 99), ("PARA", "GG")),
    Disease("J20.9", "Acute bronchitis", "หลอดลมอักเสบ", "ไอมีเสมหะ 5 วัน", 4, (1, 99), ("GG", "AMOX", "SALB"), 0.4),
    Disease("J10.1", "Influenza", "ไข้หวัดใหญ่", "ไข้สูง ปวดเมื่อยตัว 1 วัน", 3, (1, 99), ("PARA", "CPM"), 1.9, ("FLU",)),
    Disease("A09.9", "Gastroenteritis", "อุจจาระร่วง", "ถ่ายเหลว 4 ครั้ง", 6, (0, 99), ("ORS", "DOMP"), 0.3),
    Disease("A97.9", "Dengue", "ไข้เลือดออก", "ไข้สูงลอย 4 วัน ปวดกระบอกตา", 1, (3, 60), ("PARA", "ORS"), 2.0, ("WBC", "PLT", "HCT")),
    Disease("K30", "Functional dyspepsia", "อาหารไม่ย่อย", "จุกแน่นท้อง", 7, (12, 99), ("OME", "ANTA")),
    Disease("K29.7", "Gastritis", "กระเพาะอาหารอักเสบ", "ปวดแสบท้อง", 5, (15, 99), ("OME", "ANTA")),
    Disease("M79.1", "Myalgia", "ปวดกล้ามเนื้อ", "ปวดเมื่อยตามตัว", 12, (15, 99), ("PARA", "IBU", "BALM")),
    Disease("M54.5", "Low back pain", "ปวดหลังส่วนล่าง", "ปวดหลัง 1 สัปดาห์", 8, (18, 99), ("IBU", "TOLP", "BALM"), 0.0, (), "93.39"),
    Disease("M17.9", "Gonarthrosis", "ข้อเข่าเสื่อม", "ปวดเข่าเวลาเดิน", 5, (45, 99), ("PARA", "BALM"), 0.0, (), "93.39"),
    Disease("L30.9", "Dermatitis", "ผิวหนังอักเสบ", "ผื่นคัน 3 วัน", 5, (0, 99), ("TA", "CPM")),
    Disease("B35.4", "Tinea corporis", "กลากที่ลำตัว", "ผื่นวงคัน", 2, (5, 99), ("CLOT",)),
    Disease("R51", "Headache", "ปวดศีรษะ", "ปวดศีรษะ", 5, (10, 99), ("PARA",)),
    Disease("R42", "Dizziness", "เวียนศีรษะ", "เวียนศีรษะ บ้านหมุน", 4, (25, 99), ("DIM",)),
    Disease("N39.0", "Urinary tract infection", "ทางเดินปัสสาวะอักเสบ", "ปัสสาวะแสบขัด", 2, (15, 99), ("NOR",), 0.3, ("UPRO",)),
    Disease("H10.9", "Conjunctivitis", "เยื่อบุตาอักเสบ", "ตาแดง ขี้ตามาก", 2, (0, 99), ("EYE",)),
    Disease("S61.9", "Open wound of wrist and hand", "แผลเปิดที่มือ", "มีดบาดมือ", 3, (5, 99), ("DICL", "PARA"), 0.0, (), "86.59"),
    Disease("T14.0", "Superficial injury", "บาดแผลถลอก", "ลื่นล้ม มีแผลถลอก", 4, (2, 99), ("PARA",), 0.0, (), "96.59"),
    Disease("K02.9", "Dental caries", "ฟันผุ", "ปวดฟัน", 4, (4, 80), ("PARA", "AMOX"), 0.0, (), "23.2"),
    Disease("J45.9", "Asthma", "หอบหืด", "หอบเหนื่อย", 1, (5, 80), ("SALB",), 0.0, (), "93.94"),
    Disease("E11.9", "Type 2 diabetes mellitus", "เบาหวานชนิดที่ 2", "มารับยาตามนัด", 0, (30, 99), ("METF", "GLIP", "SIMV")),
    Disease("I10", "Essential hypertension", "ความดันโลหิตสูง", "มารับยาตามนัด", 0, (30, 99), ("AMLO", "ENAL", "HCTZ")),
    Disease("E78.5", "Hyperlipidaemia", "ไขมันในเลือดสูง", "มารับยาตามนัด", 0, (30, 99), ("SIMV",)),
    Disease("N18.3", "Chronic kidney disease, stage 3", "ไตวายเรื้อรังระยะที่ 3", "มารับยาตามนัด", 0, (45, 99), ("LOSA",)),
    Disease("J44.9", "Chronic obstructive pulmonary disease", "ปอดอุดกั้นเรื้อรัง", "เหนื่อยง่าย", 0, (50, 99), ("SALB",)),
    Disease("J18.9", "Pneumonia", "ปอดบวม", "ไข้ ไอ หอบเหนื่อย", 0, (0, 99), ("CEFT", "PARA"), 1.6, ("WBC", "HCT", "PLT")),
    Disease("I63.9", "Cerebral infarction", "สมองขาดเลือด", "แขนขาอ่อนแรงซีกขวา", 0, (45, 99), ("ASA", "SIMV"), 0.0, ("FBS", "CR")),
    Disease("I21.9", "Acute myocardial infarction", "กล้ามเนื้อหัวใจขาดเลือด", "เจ็บแน่นหน้าอก", 0, (45, 99), ("ASA",), 0.0, ("K", "CR")),
    Disease("C22.0", "Liver cell carcinoma", "มะเร็งตับ", "ปวดชายโครงขวา ผอมลง", 0, (45, 99), ("PARA",)),
    Disease("A41.9", "Sepsis", "ติดเชื้อในกระแสเลือด", "ไข้ ซึมลง", 0, (50, 99), ("CEFT",), 1.8, ("WBC", "CR")),
    Disease("R54", "Senility", "ชราภาพ", "อ่อนเพลีย", 0, (70, 99), ()),
    Disease("O80.0", "Spontaneous vertex delivery", "คลอดปกติ", "เจ็บครรภ์คลอด", 0, (15, 45), ("FF", "PARA"), 0.0, ("HCT",), "73.59"),
    Disease("Z34.9", "Supervision of normal pregnancy", "ฝากครรภ์ปกติ", "มาฝากครรภ์", 0, (15, 45), ("FF", "FOL")),
    Disease("Z00.1", "Routine child health examination", "ตรวจสุขภาพเด็กดี", "ตรวจพัฒนาการเด็ก", 0, (0, 6), ()),
    Disease("Z25.1", "Need for immunization against influenza", "รับวัคซีนไข้หวัดใหญ่", "มารับวัคซีน", 0, (0, 99), ()),
    Disease("Z27.9", "Need for combined immunization", "รับวัคซีน", "มารับวัคซีนตามนัด", 0, (0, 12), ()),
    Disease("Z13.1", "Screening for diabetes mellitus", "คัดกรองเบาหวาน", "คัดกรองสุขภาพประจำปี", 0, (15, 99), ()),
)  # fmt: skip

ACUTE = tuple(disease for disease in DISEASES.values() if disease.weight)

DRUGS = {
    "PARA": Medicine("1000001", "Paracetamol 500 mg tablet", "N02BE01", "เม็ด", "ครั้งละ 1 เม็ด ทุก 6 ชั่วโมง เวลาปวดหรือมีไข้", 3, 0.5),
    "CPM": Medicine("1000002", "Chlorpheniramine 4 mg tablet", "R06AB04", "เม็ด", "ครั้งละ 1 เม็ด วันละ 3 ครั้ง หลังอาหาร", 3, 0.25),
    "GG": Medicine("1000003", "Guaifenesin 100 mg tablet", "R05CA03", "เม็ด", "ครั้งละ 1 เม็ด วันละ 3 ครั้ง หลังอาหาร", 3, 0.5),
    "AMOX": Medicine("1000004", "Amoxicillin 500 mg capsule", "J01CA04", "แคปซูล", "ครั้งละ 1 แคปซูล วันละ 3 ครั้ง หลังอาหาร จนหมด", 3, 1.5),
    "SALB": Medicine("1000005", "Salbutamol 100 mcg inhaler", "R03AC02", "หลอด", "พ่นครั้งละ 2 กด เมื่อหอบ", 1, 60.0),
    "ORS": Medicine("1000006", "Oral rehydration salts", "A07CA", "ซอง", "ละลายน้ำดื่มแทนน้ำเมื่อถ่าย", 2, 2.5),
    "DOMP": Medicine("1000007", "Domperidone 10 mg tablet", "A03FA03", "เม็ด", "ครั้งละ 1 เม็ด วันละ 3 ครั้ง ก่อนอาหาร", 3, 0.75),
    "OME": Medicine("1000008", "Omeprazole 20 mg capsule", "A02BC01", "แคปซูล", "ครั้งละ 1 แคปซูล วันละ 1 ครั้ง ก่อนอาหารเช้า", 1, 1.0),
    "ANTA": Medicine("1000009", "Aluminium hydroxide and magnesium hydroxide suspension", "A02AD01", "ขวด", "ครั้งละ 2 ช้อนชา วันละ 3 ครั้ง", 1, 18.0),
    "IBU": Medicine("1000010", "Ibuprofen 400 mg tablet", "M01AE01", "เม็ด", "ครั้งละ 1 เม็ด วันละ 3 ครั้ง หลังอาหารทันที", 3, 0.75),
    "BALM": Medicine("1000011", "Methyl salicylate cream", "M02AC", "หลอด", "ทาบริเวณที่ปวด วันละ 3 ครั้ง", 1, 12.0),
    "TOLP": Medicine("1000012", "Tolperisone 50 mg tablet", "M03BX04", "เม็ด", "ครั้งละ 1 เม็ด วันละ 3 ครั้ง หลังอาหาร", 3, 0.75),
    "TA": Medicine("1000013", "Triamcinolone 0.1 % cream", "D07AB09", "หลอด", "ทาบริเวณที่เป็น วันละ 2 ครั้ง", 1, 10.0),
    "CLOT": Medicine("1000014", "Clotrimazole 1 % cream", "D01AC01", "หลอด", "ทาบริเวณที่เป็น วันละ 2 ครั้ง", 1, 12.0),
    "DIM": Medicine("1000015", "Dimenhydrinate 50 mg tablet", "R06AA11", "เม็ด", "ครั้งละ 1 เม็ด ทุก 8 ชั่วโมง เวลาเวียนศีรษะ", 3, 0.5),
    "NOR": Medicine("1000016", "Norfloxacin 400 mg tablet", "J01MA06", "เม็ด", "ครั้งละ 1 เม็ด วันละ 2 ครั้ง ก่อนอาหาร จนหมด", 2, 2.0),
    "EYE": Medicine("1000017", "Chloramphenicol 0.5 % eye drops", "S01AA01", "ขวด", "หยอดตาข้างที่เป็น ทุก 4 ชั่วโมง", 1, 15.0),
    "DICL": Medicine("1000018", "Dicloxacillin 250 mg capsule", "J01CF01", "แคปซูล", "ครั้งละ 1 แคปซูล วันละ 4 ครั้ง ก่อนอาหาร จนหมด", 4, 1.5),
    "METF": Medicine("1000019", "Metformin 500 mg tablet", "A10BA02", "เม็ด", "ครั้งละ 1 เม็ด วันละ 2 ครั้ง หลังอาหารเช้า เย็น", 2, 0.5),
    "GLIP": Medicine("1000020", "Glipizide 5 mg tablet", "A10BB07", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง ก่อนอาหารเช้า", 1, 0.5),
    "SIMV": Medicine("1000021", "Simvastatin 20 mg tablet", "C10AA01", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง ก่อนนอน", 1, 1.0),
    "AMLO": Medicine("1000022", "Amlodipine 5 mg tablet", "C08CA01", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง หลังอาหารเช้า", 1, 0.5),
    "ENAL": Medicine("1000023", "Enalapril 5 mg tablet", "C09AA02", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง หลังอาหารเช้า", 1, 0.5),
    "HCTZ": Medicine("1000024", "Hydrochlorothiazide 25 mg tablet", "C03AA03", "เม็ด", "ครั้งละครึ่งเม็ด วันละ 1 ครั้ง หลังอาหารเช้า", 1, 0.5),
    "LOSA": Medicine("1000025", "Losartan 50 mg tablet", "C09CA01", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง หลังอาหารเช้า", 1, 1.0),
    "ASA": Medicine("1000026", "Aspirin 81 mg tablet", "B01AC06", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง หลังอาหารเช้าทันที", 1, 0.5),
    "CEFT": Medicine("1000027", "Ceftriaxone 1 g injection", "J01DD04", "ขวด", "ฉีดเข้าหลอดเลือดดำ วันละ 2 กรัม", 2, 25.0),
    "FF": Medicine("1000028", "Ferrous fumarate 200 mg tablet", "B03AA02", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง", 1, 0.25),
    "FOL": Medicine("1000029", "Folic acid 5 mg tablet", "B03BB01", "เม็ด", "ครั้งละ 1 เม็ด วันละ 1 ครั้ง", 1, 0.25),
}  # fmt: skip

TESTS = {
    "DTX": Test("L001", "03", "41653-7", "Glucose, capillary", "mg/dL", 70, 100, 0, 40),
    "FBS": Test("L002", "01", "1558-6", "Fasting glucose", "mg/dL", 70, 100, 0, 50),
    "A1C": Test("L003", "05", "4548-4", "Hemoglobin A1c", "%", 4.0, 5.7, 1, 150),
    "TG": Test("L004", "06", "2571-8", "Triglyceride", "mg/dL", 40, 150, 0, 60),
    "CHO": Test("L005", "07", "2093-3", "Cholesterol", "mg/dL", 120, 200, 0, 60),
    "HDL": Test("L006", "08", "2085-9", "HDL cholesterol", "mg/dL", 40, 80, 0, 100),
    "LDL": Test("L007", "09", "13457-7", "LDL cholesterol, calculated", "mg/dL", 50, 130, 0, 100),
    "BUN": Test("L008", "10", "3094-0", "Urea nitrogen", "mg/dL", 7, 20, 1, 50),
    "CR": Test("L009", "11", "2160-0", "Creatinine", "mg/dL", 0.5, 1.2, 2, 50),
    "GFR": Test("L010", "15", "62238-1", "eGFR (CKD-EPI)", "mL/min/{1.73_m2}", 60, 120, 1, 0),
    "HB": Test("L011", "16", "718-7", "Hemoglobin", "g/dL", 12.0, 16.0, 1, 30),
    "K": Test("L012", "18", "2823-3", "Potassium", "mmol/L", 3.5, 5.1, 1, 60),
    "MALB": Test("L013", "12", "14957-5", "Microalbumin, urine", "mg/L", 0, 20, 1, 270),
    "WBC": Test("L014", "", "6690-2", "Leukocytes", "10*3/uL", 4.0, 10.0, 1, 90),
    "PLT": Test("L015", "", "777-3", "Platelets", "10*3/uL", 140, 400, 0, 90),
    "HCT": Test("L016", "", "4544-3", "Hematocrit", "%", 36, 48, 0, 30),
    "UPRO": Test("L017", "", "5804-0", "Protein, urine", "mg/dL", 0, 15, 0, 30),
    "FLU": Test("L018", "", "", "Influenza A/B rapid test", "", 0, 0, 0, 450),
}

VACCINES = {
    row.code: row
    for row in (
        Vaccine("010", "BCG", "19", 0),
        Vaccine("041", "HBV1", "08", 0),
        Vaccine("D21", "DTP-HB-Hib 1", "198", 2),
        Vaccine("081", "OPV1", "02", 2),
        Vaccine("D22", "DTP-HB-Hib 2", "198", 4),
        Vaccine("082", "OPV2", "02", 4),
        Vaccine("401", "IPV-P", "10", 4),
        Vaccine("D23", "DTP-HB-Hib 3", "198", 6),
        Vaccine("083", "OPV3", "02", 6),
        Vaccine("061", "MMR1", "03", 9),
        Vaccine("J11", "LAJE1", "", 12),
        Vaccine("034", "DTP4", "01", 18),
        Vaccine("084", "OPV4", "02", 18),
        Vaccine("073", "MMR2", "03", 18),
        Vaccine("J12", "LAJE2", "", 30),
        Vaccine("035", "DTP5", "01", 48),
        Vaccine("085", "OPV5", "02", 48),
        Vaccine("815", "Flu", "88", -1),
        Vaccine("106", "dT", "139", -1),
        Vaccine("CP1", "Covid-19 (Pfizer)", "208", -1),
    )
}

PROCEDURES = {
    "93.39": ("Other physical therapy", 50),
    "86.59": ("Suture of skin and subcutaneous tissue", 200),
    "96.59": ("Irrigation of wound", 60),
    "23.2": ("Restoration of tooth by filling", 250),
    "93.94": ("Respiratory medication administered by nebulizer", 60),
    "73.59": ("Manually assisted delivery", 3000),
    "88.78": ("Diagnostic ultrasound of gravid uterus", 400),
}

CHARGES = {
    "11": "ค่าห้อง/ค่าอาหาร",
    "41": "ยาที่นำไปใช้ต่อที่บ้าน",
    "71": "ตรวจวินิจฉัยทางเทคนิคการแพทย์และพยาธิวิทยา",
    "B1": "ทำหัตถการ และบริการวิสัญญี",
    "C1": "ค่าบริการทางการพยาบาล",
    "I1": "บริการอื่น ๆ และส่งเสริมป้องกันโรค",
}

CAUSES_OF_DEATH = ("R54", "I21.9", "I63.9", "C22.0", "A41.9", "J18.9")

ALLERGENS = ("AMOX", "IBU", "NOR", "ASA")
ALLERGY_SYMPTOMS = ("27", "28", "23", "29")
"""SYMPTOM codes of DRUGALLERGY (cs-thcc-allergy-manifest): drug rash, urticaria, contact dermatitis ..."""
