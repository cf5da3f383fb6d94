"""Loaders: small invented files of the shapes that the publishers distribute, from file to answer."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminology.concept import Concept
from terminology.loaders.load import LOADERS, Outcome, listing, load
from terminology.loaders.tables import LoadError
from terminology.service import TerminologyService
from terminology.storage import StoredSystem, open_folder


class Loading:
    """Writes files, loads them, and asks what was loaded."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "release"
        self.target = folder / "terminology"
        self.source.mkdir()
        self.opened: list[StoredSystem] = []

    def write(self, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    def load(self, system: str, source: Path | None = None, **more: str) -> Outcome:
        return load(system, source or self.source, self.target, **more)

    def stored(self) -> StoredSystem:
        found = open_folder(self.target)
        self.opened += found
        assert len(found) == 1
        return found[0]

    def concept(self, code: str) -> Concept:
        found = self.stored().find(code)
        assert found is not None, code
        return found


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Loading]:
    made = Loading(tmp_path)
    yield made
    for system in made.opened:
        system.close()


def names(concept: Concept) -> dict[str | None, str]:
    return {designation.language: designation.value for designation in concept.designations}


def properties(concept: Concept) -> dict[str, object]:
    return {item.code: item.value for item in concept.properties}


CLAML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0">
  <Meta name="lang" value="en"/>
  <Identifier authority="WHO" uid="id-to-be-added-later"/>
  <Title name="ICD-10-EN" version="2019" date="2019-01-01">Invented extract</Title>
  <ClassKinds><ClassKind name="chapter"/><ClassKind name="block"/><ClassKind name="category"/></ClassKinds>
  <Class code="I" kind="chapter">
    <SubClass code="X00-X09"/>
    <Rubric id="D1" kind="preferred"><Label xml:lang="en" xml:space="default">Invented chapter</Label></Rubric>
  </Class>
  <Class code="X00-X09" kind="block">
    <SuperClass code="I"/><SubClass code="X00"/>
    <Rubric id="D2" kind="preferred"><Label xml:lang="en">Invented block</Label></Rubric>
  </Class>
  <Class code="X00" kind="category">
    <SuperClass code="X00-X09"/><SubClass code="X00.0"/>
    <Rubric id="D3" kind="preferred"><Label xml:lang="en">Invented
       fever <Reference class="in brackets" usage="dagger">Y00</Reference></Label></Rubric>
    <Rubric id="D4" kind="inclusion"><Label xml:lang="en">not a name</Label></Rubric>
    <Rubric id="D5" kind="definition"><Label xml:lang="en">What it is.</Label></Rubric>
  </Class>
  <Class code="X00.0" kind="category" usage="dagger">
    <SuperClass code="X00"/>
    <Rubric id="D6" kind="preferred"><Label xml:lang="en">Invented fever, acute</Label></Rubric>
    <Rubric id="D7" kind="preferredLong"><Label xml:lang="en">Acute invented fever of the long name</Label></Rubric>
  </Class>
</ClaML>
"""


class TestIcd:
    def test_claml(self, loading: Loading) -> None:
        outcome = loading.load("icd-10", loading.write("icd102019en.xml", CLAML), version="2019")
        assert (outcome.loaded.concepts, outcome.report.skipped) == (4, 0)
        stored = loading.stored()
        assert (stored.url, stored.version) == ("http://hl7.org/fhir/sid/icd-10", "2019")
        fever = loading.concept("X00")
        assert (fever.display, fever.definition) == ("Invented fever Y00", "What it is.")
        assert properties(fever) == {"kind": "category"}
        acute = loading.concept("x00.0")
        assert (acute.code, acute.display) == ("X00.0", "Invented fever, acute")
        assert names(acute) == {"en": "Acute invented fever of the long name"}
        assert stored.ancestors("X00.0") == {"X00", "X00-X09", "I"}

    def test_claml_with_entities_is_refused(self, loading: Loading) -> None:
        bomb = '<!DOCTYPE ClaML [<!ENTITY a "aaaa">]><ClaML><Class code="A"/></ClaML>'
        with pytest.raises(LoadError, match="entities"):
            loading.load("icd-10", loading.write("x.xml", bomb))

    def test_broken_xml_names_the_line(self, loading: Loading) -> None:
        with pytest.raises(LoadError, match="in line 2"):
            loading.load("icd-10", loading.write("x.xml", "<ClaML>\n<Class"))
        assert open_folder(loading.target) == []

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp874"])
    def test_a_table_in_any_encoding(self, loading: Loading, encoding: str) -> None:
        text = (
            "code,desc_en,desc_th,valid\r\nX00,Invented fever,ไข้สมมติ,0\r\nX000,Acute,เฉียบพลัน,1\r\nX0001,Very,มาก,1\r\n"
        )
        loading.load("icd-10-tm", loading.write("icd10tm.csv", text, encoding), version="2016")
        stored = loading.stored()
        assert stored.url == "https://terms.sil-th.org/core/CodeSystem/cs-th-icd10tm"
        assert loading.concept("X00").abstract
        very = loading.concept("X00.01")
        assert (very.display, names(very)) == ("Very", {"th": "มาก"})
        assert stored.ancestors("X00.01") == {"X00.0", "X00"}

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_other_separators_and_thai_headers(self, loading: Loading, separator: str) -> None:
        text = f"รหัสโรค{separator}ชื่อโรค\nX00.0{separator}ไข้สมมติ\n"
        loading.load("icd-10-tm", loading.write("list.csv", text))
        assert loading.concept("X00.0").display == "ไข้สมมติ"

    def test_a_row_without_code_is_reported_and_stops_nothing(self, loading: Loading) -> None:
        text = "code,desc_en\nX00,one\n,lost\n\nX01,two\n"
        outcome = loading.load("icd-10", loading.write("list.csv", text))
        assert outcome.loaded.concepts == 2
        assert outcome.report.reasons == ["list.csv, row 3: no code"]

    def test_a_table_without_the_column_says_what_it_looked_for(self, loading: Loading) -> None:
        with pytest.raises(LoadError, match=r"no column for code \(code or icd10 .*; the file has: a, b"):
            loading.load("icd-10", loading.write("list.csv", "a,b\n1,2\n"))


class TestIcd9Cm:
    LINES = (
        "0001 Invented ultrasound\r\n001  Invented shorter code\r\n8751 Invented Ménière procedure\r\n\r\nnonsense\r\n"
    )

    def test_the_text_file_of_cms(self, loading: Loading) -> None:
        loading.write("CMS32_DESC_LONG_SG.txt", self.LINES, "cp1252")
        outcome = loading.load("icd-9-cm", version="32")
        assert outcome.header.url == "http://terminology.hl7.org/CodeSystem/icd9cm"
        assert [c.code for c in loading.stored().all()] == ["00.01", "00.1", "87.51"]
        assert loading.concept("87.51").display == "Invented Ménière procedure"
        assert outcome.report.reasons == ["CMS32_DESC_LONG_SG.txt, row 5: not a code followed by its title"]

    def test_long_titles_are_taken_before_short_ones_from_the_zip(self, loading: Loading) -> None:
        path = loading.source / "cms.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("CMS32_DESC_SHORT_SG.txt", "0001 Short\r\n")
            archive.writestr("CMS32_DESC_LONG_SG.txt", "0001 Long title\r\n")
            archive.writestr("CMS32_DESC_LONG_DX.txt", "0010 Invented cholera\r\nE8000 Invented accident\r\n")
        loading.load("icd-9-cm", path)
        assert [c.code for c in loading.stored().all()] == ["001.0", "E800.0", "00.01"]
        assert loading.concept("00.01").display == "Long title"

    def test_a_table_with_thai_names(self, loading: Loading) -> None:
        text = "code,description,ชื่อหัตถการ\n00,Category,หมวด\n000,Sub,ย่อย\n0001,Item,รายการ\n"
        loading.load("icd-9-cm", loading.write("icd9.csv", text))
        assert names(loading.concept("00.01")) == {"th": "รายการ"}
        assert loading.stored().ancestors("00.01") == {"00.0", "00"}


class TestTmt:
    def release(self, loading: Loading) -> None:
        concepts = {
            "SUBS": "TMTID(SUBS),FSN\n1,paracetamol\n",
            "VTM": "TMTID(VTM),FSN\n2,paracetamol\n",
            "GP": "TMTID(GP),FSN\n3,paracetamol 500 mg tablet\n",
            "GPU": "TMTID(GPU),FSN\n4,paracetamol 500 mg tablet 1 tablet\n",
            "TP": "TMTID(TP),FSN,MANUFACTURER\n5,INVENTED (MAKER) paracetamol 500 mg tablet,MAKER\n",
            "TPU": "TMTID(TPU),FSN,CHANGEDATE,STATUS\n6,INVENTED 1 tablet,20260101,1\n7,OLD,20100101,0\n",
            "GPP": "TMTID(GPP),FSN\n8,paracetamol 500 mg tablet 10 tablets\n",
            "TPP": "TMTID(TPP),FSN\n9,INVENTED 10 tablets\n",
        }
        relations = {
            "SUBStoVTM": "1,2", "VTMtoGP": "2,3", "GPtoTP": "3,5", "GPtoGPU": "3,4", "GPUtoTPU": "4,6",
            "TPtoTPU": "5,6", "GPUtoGPP": "4,8", "TPUtoTPP": "6,9", "GPPtoTPP": "8,9",
        }  # fmt: skip
        for level, content in concepts.items():
            loading.write(f"Concept/{level}20260101.csv", content)
        for name, pair in relations.items():
            first, _, second = name.partition("to")
            loading.write(f"Relationship/{name}20260101.csv", f"TMTID({first}),TMTID({second})\n{pair}\n")

    def test_the_hierarchy_of_all_levels(self, loading: Loading) -> None:
        self.release(loading)
        outcome = loading.load("tmt", version="20260101")
        assert (outcome.loaded.concepts, outcome.loaded.unknown_parents) == (9, 0)
        stored = loading.stored()
        assert stored.ancestors("9") == {"1", "2", "3", "4", "5", "6", "8"}
        assert [c.code for c in stored.descendants("3")] == ["5", "4", "6", "8", "9"]
        assert [c.code for c in stored.having("level", frozenset({"TPU"}))] == ["6", "7"]
        assert properties(loading.concept("5")) == {"level": "TP", "manufacturer": "MAKER"}
        assert loading.concept("7").inactive
        assert not loading.concept("6").inactive

    def test_relationships_the_other_way_round(self, loading: Loading) -> None:
        loading.write("GP1.csv", "TMTID(GP),FSN\n3,three\n")
        loading.write("GPU1.csv", "TMTID(GPU),FSN\n4,four\n")
        loading.write("GPUtoGP1.csv", "A,B\n4,3\n")
        loading.load("tmt")
        assert loading.stored().ancestors("4") == {"3"}

    def test_a_snapshot_alone(self, loading: Loading) -> None:
        text = "TMTID(TPU),FSN,TradeName,ActiveIngredient\n6,INVENTED 1 tablet,INVENTED,paracetamol\n"
        loading.load("tmt", loading.write("TMTRF20260101_SNAPSHOT.csv", text))
        assert properties(loading.concept("6")) == {
            "level": "TPU",
            "tradename": "INVENTED",
            "ingredient": "paracetamol",
        }

    def test_spreadsheets_are_answered_with_advice(self, loading: Loading) -> None:
        loading.write("TMTRF20260101_SNAPSHOT.xls", b"\xd0\xcf\x11\xe0")
        with pytest.raises(LoadError, match="save each sheet as 'CSV UTF-8'"):
            loading.load("tmt")


def test_tmlt(loading: Loading) -> None:
    header = "TMLT_Code,TMLT_Name,LOINC_NUM,Specimen,Unit,STATUS\n"
    text = header + "320001,Invented [mg/dL] in Serum,1-8,Serum,mg/dL,1\n320002,Old,,Serum,,0\n,x,,,,\n"
    outcome = loading.load("tmlt", loading.write("TMLT_SNAPSHOT.csv", text), version="1")
    assert outcome.report.skipped == 1
    assert properties(loading.concept("320001")) == {"loinc": "1-8", "Specimen": "Serum", "Unit": "mg/dL"}
    assert loading.concept("320002").inactive


class TestLoinc:
    TABLE = (
        '"LOINC_NUM","COMPONENT","PROPERTY","TIME_ASPCT","SYSTEM","SCALE_TYP","METHOD_TYP","CLASS",'
        '"DefinitionDescription","STATUS","CONSUMER_NAME","CLASSTYPE","SHORTNAME","LONG_COMMON_NAME"\n'
        '"1-8","Invented","MCnc","Pt","Ser","Qn","","CHEM","Defined, with a comma","ACTIVE","Invented test","1",'
        '"Inv Ser","Invented [Mass/volume] in Serum"\n'
        '"2-6","Old","MCnc","Pt","Ser","Doc","","CHEM","","DEPRECATED","","1","Old Ser","Old [Mass/volume] in Serum"\n'
    )
    HIERARCHY = (
        "PATH_TO_ROOT,SEQUENCE,IMMEDIATE_PARENT,CODE,CODE_TEXT\n"
        ",1,,LP1-1,{component}\nLP1-1,1,LP1-1,LP2-9,Invented\nLP1-1.LP2-9,1,LP2-9,1-8,Invented Ser\n"
    )

    def test_a_release_with_hierarchy_and_another_language(self, loading: Loading) -> None:
        path = loading.source / "Loinc.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("LoincTable/Loinc.csv", self.TABLE)
            folder = "AccessoryFiles/ComponentHierarchyBySystem"
            archive.writestr(f"{folder}/ComponentHierarchyBySystem.csv", self.HIERARCHY)
            variant = "LOINC_NUM,SHORTNAME,LONG_COMMON_NAME\n1-8,,การทดสอบสมมติ\n"
            archive.writestr("AccessoryFiles/LinguisticVariants/thTH99LinguisticVariant.csv", variant)
        outcome = loading.load("loinc", path, version="2.80")
        assert outcome.loaded.concepts == 4
        concept = loading.concept("1-8")
        assert (concept.display, concept.definition) == ("Invented [Mass/volume] in Serum", "Defined, with a comma")
        assert concept.display_in("th") == "การทดสอบสมมติ"
        assert properties(concept)["SCALE_TYP"] == "Qn"
        assert loading.stored().ancestors("1-8") == {"LP2-9", "LP1-1"}
        assert loading.concept("LP2-9").abstract
        assert loading.concept("2-6").inactive

    def test_official_value_sets_of_loinc_expand_once_it_is_here(self, loading: Loading) -> None:
        """doc-typecodes is `SCALE_TYP = Doc`."""
        loading.load("loinc", loading.write("Loinc.csv", self.TABLE))
        service = TerminologyService([loading.stored()])
        codes = service.expand("http://hl7.org/fhir/ValueSet/doc-typecodes")
        assert codes is not None
        assert [(code.code, code.inactive) for code in codes] == [("2-6", True)]
        assert service.validate_code("http://loinc.org/vs", "http://loinc.org", "1-8").verdict == "yes"

    def test_without_the_table_it_says_so(self, loading: Loading) -> None:
        loading.write("readme.txt", "x")
        with pytest.raises(LoadError, match=r"no Loinc\.csv"):
            loading.load("loinc")


class TestGeneric:
    def test_a_table(self, loading: Loading) -> None:
        text = "code,display,display_th,display_zh-Hant,definition,parent,inactive,colour\n"
        text += "w,Ward,หอผู้ป่วย,病房,D,,,red\ni,ICU,,,,w|x,yes,\n"
        outcome = loading.load("csv", loading.write("beds.csv", text), url="https://hospital.example/beds", version="1")
        assert outcome.loaded.unknown_parents == 1
        ward = loading.concept("w")
        assert names(ward) == {"th": "หอผู้ป่วย", "zh-Hant": "病房"}
        assert (ward.definition, properties(ward)) == ("D", {"colour": "red"})
        assert loading.concept("i").inactive
        assert loading.stored().ancestors("i") == {"w"}

    def test_a_table_needs_the_url_of_its_system(self, loading: Loading) -> None:
        with pytest.raises(LoadError, match="give its url"):
            loading.load("csv", loading.write("beds.csv", "code\n1\n"))

    def test_a_code_system_resource(self, loading: Loading) -> None:
        text = (
            '{"resourceType": "CodeSystem", "url": "http://example.org/x", "version": "3", "title": "X",'
            ' "content": "fragment", "caseSensitive": false,'
            ' "concept": [{"code": "a", "display": "A", "concept": [{"code": "B"}]}]}'
        )
        loading.load("fhir", loading.write("x.json", text))
        stored = loading.stored()
        assert (stored.url, stored.version, stored.name) == ("http://example.org/x", "3", "X")
        assert (stored.complete, stored.case_sensitive) == (False, False)
        assert stored.ancestors(loading.concept("b").code) == {"a"}

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"resourceType": "ValueSet", "url": "x"}', '{"resourceType": "CodeSystem"}']
    )
    def test_other_json_is_refused(self, loading: Loading, text: str) -> None:
        with pytest.raises(LoadError, match=r"x\.json: not"):
            loading.load("fhir", loading.write("x.json", text))


def test_loading_again_replaces_the_file(loading: Loading) -> None:
    for display in ("one", "two"):
        path = loading.write("x.csv", f"code,display\na,{display}\n")
        loading.load("csv", path, url="http://example.org/x", version="1")
    assert loading.concept("a").display == "two"


def test_versions_stand_side_by_side_and_the_newest_answers(loading: Loading) -> None:
    for version in ("9", "10"):
        path = loading.write("x.csv", f"code,display\na,version {version}\n")
        loading.load("csv", path, url="http://example.org/x", version=version)
    loading.opened = open_folder(loading.target)
    service = TerminologyService(loading.opened)
    for asked, display in ((None, "version 10"), ("9", "version 9")):
        concept = service.find("http://example.org/x", "a", asked)
        assert concept is not None
        assert concept.display == display


def test_the_list_of_what_is_loaded(loading: Loading) -> None:
    outcome = loading.load(
        "csv", loading.write("x.csv", "code\na\nb\n"), url="http://example.org/x", version="1", name="X"
    )
    (row,) = listing(loading.target)
    assert {k: row[k] for k in ("url", "version", "name", "concepts", "file")} == {
        "url": "http://example.org/x",
        "version": "1",
        "name": "X",
        "concepts": 2,
        "file": outcome.path.name,
    }


def test_an_unknown_system_is_answered_with_the_known_ones(loading: Loading) -> None:
    with pytest.raises(LoadError, match="is not one of " + ", ".join(LOADERS)):
        loading.load("snomed")


def test_a_missing_file_is_an_error(loading: Loading) -> None:
    with pytest.raises(LoadError, match="does not exist"):
        loading.load("csv", loading.source / "none.csv", url="http://example.org/x")


@pytest.mark.parametrize("system", [name for name in LOADERS if name != "fhir"])
def test_a_file_of_nothing_is_an_error(loading: Loading, system: str) -> None:
    loading.write({"loinc": "Loinc.csv", "tmt": "GP1.csv"}.get(system, "x.csv"), "code,display,LOINC_NUM,TMTID\n")
    with pytest.raises(LoadError):
        loading.load(system, url="http://example.org/x")
    assert open_folder(loading.target) == []
