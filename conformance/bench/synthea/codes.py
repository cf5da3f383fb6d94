"""Codes and names that the generator of Synthea-like bundles draws from, the frequent ones first.

Codes are LOINC, SNOMED CT, RxNorm and CVX as US records carry them; nobody with these names exists.
"""

from __future__ import annotations

VITALS: tuple[tuple[str, str, str, float, float], ...] = (
    ("8302-2", "Body Height", "cm", 168, 12),
    ("29463-7", "Body Weight", "kg", 78, 15),
    ("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", 27, 4),
    ("8867-4", "Heart rate", "/min", 78, 9),
    ("9279-1", "Respiratory rate", "/min", 14, 2),
    ("8310-5", "Body temperature", "Cel", 37.1, 0.4),
)
"""LOINC code, display, unit, mean, deviation."""
PRESSURES = (("8462-4", "Diastolic Blood Pressure", 79, 7), ("8480-6", "Systolic Blood Pressure", 122, 12))
PANELS: tuple[tuple[str, str, tuple[tuple[str, str, str, float, float], ...]], ...] = (
    (
        "51990-0",
        "Basic metabolic panel - Blood",
        (
            ("2339-0", "Glucose [Mass/volume] in Blood", "mg/dL", 92, 14),
            ("6299-2", "Urea nitrogen [Mass/volume] in Blood", "mg/dL", 13, 4),
            ("38483-4", "Creatinine [Mass/volume] in Blood", "mg/dL", 1.1, 0.4),
            ("49765-1", "Calcium [Mass/volume] in Blood", "mg/dL", 9.3, 0.5),
            ("2947-0", "Sodium [Moles/volume] in Blood", "mmol/L", 139, 2),
            ("6298-4", "Potassium [Moles/volume] in Blood", "mmol/L", 4.4, 0.4),
            ("2069-3", "Chloride [Moles/volume] in Blood", "mmol/L", 105, 3),
            ("20565-8", "Carbon dioxide, total [Moles/volume] in Blood", "mmol/L", 24, 3),
        ),
    ),
    (
        "57698-3",
        "Lipid panel with direct LDL - Serum or Plasma",
        (
            ("2093-3", "Total Cholesterol", "mg/dL", 187, 22),
            ("2571-8", "Triglycerides", "mg/dL", 132, 25),
            ("18262-6", "Low Density Lipoprotein Cholesterol", "mg/dL", 101, 19),
            ("2085-9", "High Density Lipoprotein Cholesterol", "mg/dL", 62, 11),
        ),
    ),
    (
        "58410-2",
        "CBC panel - Blood by Automated count",
        (
            ("6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 7.1, 1.8),
            ("789-8", "Erythrocytes [#/volume] in Blood by Automated count", "10*6/uL", 4.6, 0.5),
            ("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 14.3, 1.6),
            ("4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "%", 42, 4),
            ("787-2", "MCV [Entitic volume] by Automated count", "fL", 87, 4),
            ("785-6", "MCH [Entitic mass] by Automated count", "pg", 30, 2),
            ("786-4", "MCHC [Mass/volume] by Automated count", "g/dL", 34, 1),
            ("21000-5", "Erythrocyte distribution width [Entitic volume]", "fL", 42, 2),
            ("777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", 291, 70),
            ("32207-3", "Platelet distribution width [Entitic volume]", "fL", 289, 90),
            ("32623-1", "Platelet mean volume [Entitic volume]", "fL", 10.7, 1),
        ),
    ),
    ("4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", (("4548-4", "Hemoglobin A1c", "%", 5.9, 0.8),)),
)
"""LOINC code of a report, display, its results."""
SMOKING = (("266919005", "Never smoker"), ("8517006", "Former smoker"), ("449868002", "Current every day smoker"))
ENCOUNTERS = (
    ("162673000", "General examination of patient (procedure)", "AMB"),
    ("185347001", "Encounter for problem", "AMB"),
    ("185345009", "Encounter for symptom", "AMB"),
    ("185349003", "Encounter for check up (procedure)", "AMB"),
    ("390906007", "Follow-up encounter", "AMB"),
    ("424441002", "Prenatal initial visit", "AMB"),
    ("50849002", "Emergency room admission (procedure)", "EMER"),
    ("185389009", "Follow-up visit (procedure)", "AMB"),
    ("305351004", "Admission to intensive care unit (procedure)", "IMP"),
)
CONDITIONS = (
    ("444814009", "Viral sinusitis (disorder)"),
    ("59621000", "Essential hypertension (disorder)"),
    ("162864005", "Body mass index 30+ - obesity (finding)"),
    ("195662009", "Acute viral pharyngitis (disorder)"),
    ("10509002", "Acute bronchitis (disorder)"),
    ("15777000", "Prediabetes"),
    ("271737000", "Anemia (disorder)"),
    ("44054006", "Diabetes mellitus type 2 (disorder)"),
    ("38341003", "Hypertensive disorder, systemic arterial (disorder)"),
    ("55822004", "Hyperlipidemia"),
    ("72892002", "Normal pregnancy"),
    ("40055000", "Chronic sinusitis (disorder)"),
    ("65363002", "Otitis media"),
    ("239872002", "Osteoarthritis of hip"),
    ("53741008", "Coronary Heart Disease"),
    ("431855005", "Chronic kidney disease stage 1 (disorder)"),
    ("195967001", "Asthma"),
    ("370143000", "Major depression disorder"),
    ("302870006", "Hypertriglyceridemia (disorder)"),
    ("87433001", "Pulmonary emphysema (disorder)"),
    ("62106007", "Concussion with no loss of consciousness"),
    ("44465007", "Sprain of ankle"),
    ("283371005", "Laceration of forearm"),
    ("254837009", "Malignant neoplasm of breast (disorder)"),
    ("230690007", "Stroke"),
    ("22298006", "Myocardial Infarction"),
    ("64859006", "Osteoporosis (disorder)"),
    ("84757009", "Epilepsy"),
    ("24079001", "Atopic dermatitis"),
    ("75498004", "Acute bacterial sinusitis (disorder)"),
)
PROCEDURES = (
    ("430193006", "Medication Reconciliation (procedure)"),
    ("76601001", "Intramuscular injection"),
    ("171207006", "Depression screening (procedure)"),
    ("710824005", "Assessment of health and social care needs (procedure)"),
    ("428211000124100", "Assessment of substance use (procedure)"),
    ("73761001", "Colonoscopy"),
    ("265764009", "Renal dialysis (procedure)"),
    ("268425006", "Pelvis X-ray"),
    ("399208008", "Plain chest X-ray (procedure)"),
    ("117015009", "Throat culture (procedure)"),
    ("23426006", "Measurement of respiratory function (procedure)"),
    ("74016001", "Radiography of knee"),
    ("274474001", "Bone immobilization"),
    ("288086009", "Suture open wound"),
    ("65200003", "Insertion of intrauterine contraceptive device"),
    ("225158009", "Auscultation of the fetal heart"),
    ("367336001", "Chemotherapy (procedure)"),
    ("418824004", "Off-pump coronary artery bypass graft (procedure)"),
)
MEDICATIONS = (
    ("314076", "lisinopril 10 MG Oral Tablet"),
    ("313782", "Acetaminophen 325 MG Oral Tablet"),
    ("860975", "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet"),
    ("310965", "Ibuprofen 200 MG Oral Tablet"),
    ("310798", "Hydrochlorothiazide 25 MG Oral Tablet"),
    ("314231", "Simvastatin 10 MG Oral Tablet"),
    ("308136", "amLODIPine 2.5 MG Oral Tablet"),
    ("849574", "Naproxen sodium 220 MG Oral Tablet"),
    ("2001499", "Vitamin B 12 5 MG/ML Injectable Solution"),
    ("562251", "Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet"),
    ("834061", "Penicillin V Potassium 250 MG Oral Tablet"),
    ("312961", "Simvastatin 20 MG Oral Tablet"),
    ("106892", "insulin human, isophane 70 UNT/ML Injectable Suspension"),
    ("895994", "120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler"),
    ("705129", "Nitroglycerin 0.4 MG/ACTUAT Mucosal Spray"),
    ("197591", "Diazepam 5 MG Oral Tablet"),
    ("1049221", "Acetaminophen 325 MG / Oxycodone Hydrochloride 5 MG Oral Tablet"),
    ("748962", "Camila 28 Day Pack"),
)
VACCINES = (
    ("140", "Influenza, seasonal, injectable, preservative free"),
    ("113", "Td (adult) preservative free"),
    ("115", "Tdap"),
    ("133", "Pneumococcal conjugate PCV 13"),
    ("62", "HPV, quadrivalent"),
    ("43", "Hep B, adult"),
    ("121", "zoster"),
    ("114", "meningococcal MCV4P"),
)
ALLERGIES = (("419474003", "Allergy to mould"), ("300916003", "Latex allergy"), ("91935009", "Allergy to peanuts"))
PLANS = (
    ("698360004", "Diabetes self management plan"),
    ("443402002", "Lifestyle education regarding hypertension"),
    ("53950000", "Respiratory therapy"),
)
PAYERS = ("Humana", "Medicare", "Aetna", "Blue Cross Blue Shield", "UnitedHealthcare", "NO_INSURANCE")
_FAMILIES = (
    "Smith Schmidt Schultz Stokes Strosin Sanford Sauer Sipes Stehr Swift Bauer Becker Bernhard Bins Block Boyer "
    "Brekke Bruen Johnson Jones Jacobs Kling Koss Kuhn Lang Lehner Lind Lowe Mann Mayer Mills Mraz Nader Nolan Ortiz "
    "Parker Pfeffer Price Quigley Rath Reilly Rolfson Runte Thiel Torp Turner Upton Volkman Wehner White Wolf Yost "
    "Zemlak Ziemann Altenwerth Ankunding Champlin Connelly Corwin Crist Daniel Dare Denesik Dibbert Emard Fadel "
    "Gerlach Gleason Hackett Hamill Harber Heaney Hills Hudson"
)
_GIVEN = (
    "Aaron Abby Adam Alana Alden Alfred Alma Amos Andrea Angel Anna Arnold Arthur Ashley Barbara Ben Bert Beth Brian "
    "Carla Carlos Cathy Chad Chris Dale Dana David Dean Della Dennis Elena Emil Emma Eric Esther Fay Felix Frank "
    "Gail Gary Gina Glenn Hal Hannah Harold Helen Ida Ivan Jack Jane Jesse John Johnny Judith Karl Kathy Keith Lara "
    "Leon Lisa Lois Maria Mark Mary Maude Nelson Nora Olga Oscar Pat Paul Rita Roger Rosa Ruth Sam Sarah Sean Sheila "
    "Stan Susan Ted Tina Tom Vera Victor Wendy Will Yolanda Zoe"
)
_CITIES = "Boston Worcester Springfield Cambridge Lowell Brockton Quincy Lynn Newton Randolph Wayland Salem"
FAMILIES, GIVEN, CITIES = (tuple(each.split()) for each in (_FAMILIES, _GIVEN, _CITIES))
