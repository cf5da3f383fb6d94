"""The 30 searches of a published comparison of FHIR servers, drawn evenly: ten with values of the data, twenty fixed.

Full-text searches are refused by a server that has them off; that is shown, not counted as a failure.
"""

from __future__ import annotations

from random import Random
from urllib.parse import quote

from conformance.bench.data import Pool, Pools
from conformance.bench.load import Call, Script, Target

LOINC = "http://loinc.org|"
THIRTY = (
    "metadata",
    "Observation?_count=10",
    "Observation?_count=1&_total=accurate",
    f"Observation?code={LOINC}8480-6&_count=1&_total=accurate",
    f"Observation?combo-code={LOINC}8480-6&_count=1&_total=accurate",
    "Patient?gender=male&_count=5&_total=accurate",
    "Patient?family=S&_count=5",
    "Patient?given=A&_count=5",
    "Patient?gender=female&family=B&_count=5",
    f"Observation?code={LOINC}8302-2&_count=5&_total=accurate",
    f"Observation?code={LOINC}29463-7&_count=5&_total=accurate",
    f"Observation?code={LOINC}72514-3&_count=5&_total=accurate",
    "Observation?date=ge2020-01-01&_count=5",
    "Patient/{patient}",
    "Patient?family={family}&_count=5",
    "Observation?patient=Patient/{patient}&_count=20",
    "Condition?patient=Patient/{patient}",
    "Condition?code={condition}&_count=5",
    "Procedure?code={procedure}&_count=5",
    "Encounter?patient=Patient/{patient}&_count=10",
    "MedicationRequest?patient=Patient/{patient}&_count=10",
    "Encounter?participant=Practitioner/{practitioner}&_count=10",
    "Encounter?location=Location/{location}&_count=10",
    "Patient?_content=Smith&_count=5",
    "Observation?_content=blood&_count=5",
    "Condition?_content=hypertension&_count=5",
    "Patient?name:text=ohn&_count=5",
    "Patient?address:text=Boston&_count=5",
    "Patient?_text=Smith&_count=5",
    "Condition?code:text=hypertensive&_count=5",
)


class Thirty:
    """Scripts that draw from the thirty; the label of a call is the shape."""

    def __init__(self, target: Target, pools: Pools, seed: int = 15) -> None:
        self._target = target
        self._random = Random(seed)
        self._pools: dict[str, Pool] = {
            "patient": pools.ids["Patient"],
            "practitioner": pools.ids["Practitioner"],
            "location": pools.ids["Location"],
            "family": pools.families,
            "condition": pools.condition_codes,
            "procedure": pools.procedure_codes,
        }

    def path(self, shape: str) -> str:
        draw = self._random.choice
        values = {name: quote(draw(pool), safe="") for name, pool in self._pools.items() if f"{{{name}}}" in shape}
        return "/" + quote(shape, safe="/?=&{}$:-_").format(**values)

    def script(self) -> Script:
        while True:
            shape = self._random.choice(THIRTY)
            yield Call(self._target.request("GET", self.path(shape)), shape)
