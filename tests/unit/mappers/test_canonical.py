"""The canonical base is one constant: whoever changes it changes every url that OneCard publishes or writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fhir_profiles.canonical import CANONICAL

ROOT = Path(__file__).parent.parent.parent.parent
OTHER = "https://fhir.moph.example"
ASK = f"""
import fhir_profiles.canonical as canonical
old, canonical.CANONICAL = canonical.CANONICAL, {OTHER!r}
import orjson
from mappers import publication
from mappers.f16.maps import MAPS as F16
from mappers.f43.maps import MAPS as F43
from server.intake.f43 import group, decided, undo
from server import packages
texts = [orjson.dumps(each) for each in publication.resources()]
for maps in (F43, F16):
    for each in maps.values():
        texts += [orjson.dumps(part.resource) for part in each.to_fhir(dict.fromkeys(each.layout.by_name, "1"))]
texts += [group.IMPORTS.encode(), decided.SOURCE.encode(), undo.UNDO.encode(), packages.TAGS.encode()]
assert not [text for text in texts if old.encode() in text], "an url of the old base"
print(sum({OTHER!r}.encode() in text for text in texts), len(texts))
"""


def test_another_base_is_in_every_url_and_the_old_one_in_none() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    changed, texts = map(int, done.stdout.split())
    assert texts > 700
    assert changed > 200


def test_no_other_source_spells_the_base_out() -> None:
    packages = ("fhir_profiles", "terminology", "mappers", "server", "conformance", "devices")
    files = [path for name in packages for path in (ROOT / name).rglob("*") if path.suffix in (".py", ".json", ".csv")]
    assert len(files) > 300
    host = CANONICAL.partition("//")[2].partition("/")[0]
    spelt = [path.relative_to(ROOT).as_posix() for path in files if host.encode() in path.read_bytes()]
    assert spelt == ["fhir_profiles/canonical.py"]
