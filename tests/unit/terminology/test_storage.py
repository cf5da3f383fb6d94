"""Concept files: what is written is what is found, the same as in memory."""

import gc
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.concept import Concept, Designation, Property
from terminology.folding import holds, words
from terminology.storage import COUNTED, RARE, Header, StoredSystem, file_name, open_folder, write_system

URL = "http://example.org/large"
ENGLISH = ("acute", "chronic", "fracture", "fever", "kidney", "heart", "left", "right")
THAI = ("เฉียบพลัน", "เรื้อรัง", "กระดูกหัก", "ไข้", "ไต", "หัวใจ", "ซ้าย", "ขวา")
SIZE = 6000


def concepts() -> Iterator[Concept]:
    """A tree of ten branches a node, with names made of the words."""
    for number in range(SIZE):
        first, second = number % 8, number // 8 % 8
        yield Concept(
            f"C{number:05d}",
            f"{ENGLISH[first]} {ENGLISH[second]} {number}",
            "defined" if number % 3 == 0 else None,
            (Designation(f"{THAI[second]}{THAI[first]}", "th"),),
            (Property("group", "valueCode", f"g{number % 7}"), Property("weight", "valueInteger", number)),
            (f"C{(number - 1) // 10:05d}",) if number else (),
        )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredSystem]:
    path = tmp_path_factory.mktemp("large") / "large.concepts"
    heard: list[int] = []
    loaded = write_system(path, Header(URL, "2024", "Large"), concepts(), heard.append)
    assert (loaded.concepts, loaded.duplicates, loaded.unknown_parents) == (SIZE, 0, 0)
    assert heard == [5000, SIZE]
    system = StoredSystem(path)
    yield system
    system.close()


@pytest.fixture(scope="module")
def plain() -> list[Concept]:
    return list(concepts())


def test_the_header_is_kept(stored: StoredSystem) -> None:
    assert (stored.url, stored.version, stored.name, stored.count()) == (URL, "2024", "Large", SIZE)
    assert (stored.case_sensitive, stored.complete, stored.hierarchical()) == (True, True, True)
    assert stored.properties() == {"group", "weight"}


def test_every_concept_is_found_as_it_was(stored: StoredSystem, plain: list[Concept]) -> None:
    assert [stored.find(concept.code) for concept in plain[::97]] == plain[::97]
    assert stored.find("c00001") is None
    assert list(stored.all()) == plain


def test_a_large_system_stays_in_its_file(stored: StoredSystem) -> None:
    """After every concept was looked up 20 KB are kept; ten bytes of each would be three times as much."""
    tracemalloc.start()
    try:
        system = StoredSystem(stored.path)
        for number in range(SIZE):
            assert system.find(f"C{number:05d}") is not None
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
        system.close()
    finally:
        tracemalloc.stop()
    assert kept < 10 * SIZE


def test_the_hierarchy(stored: StoredSystem, plain: list[Concept]) -> None:
    assert [c.code for c in stored.children("C00002")] == [f"C{n:05d}" for n in range(21, 31)]
    assert stored.ancestors("C00215") == {"C00021", "C00002", "C00000"}
    assert stored.is_below("C00215", "C00002")
    assert not stored.is_below("C00002", "C00215")
    assert not stored.is_below("C00215", "C00215")
    below = [c.code for c in stored.descendants("C00002")]
    expected = [c.code for c in plain if "C00002" in stored.ancestors(c.code)]
    assert below == expected
    assert len(list(stored.descendants("C00000"))) == SIZE - 1


def test_concepts_by_property(stored: StoredSystem, plain: list[Concept]) -> None:
    assert [c.code for c in stored.having("group", frozenset({"g3"}))] == [
        c.code for c in plain if c.code[1:] and int(c.code[1:]) % 7 == 3
    ]
    two = [c.code for c in stored.having("group", frozenset({"g3", "g5"}))]
    assert two == [c.code for c in plain if int(c.code[1:]) % 7 in (3, 5)]
    assert list(stored.having("colour", frozenset({"red"}))) == []


@pytest.mark.parametrize(
    "text",
    [
        "fever", "ไข้", "กระดูก", "กระดูกหักไต", "acute kidney", "ซ้าย left", "C0012", "รื", "รื ไต", "59", "5999 ไข", "zz",
        "q", "a", "fever zz", "FEVER", "left 17", "%", '"', "a\" OR \"b", "*", "NEAR", "ไตไต",
    ],
)  # fmt: skip
def test_a_filter_finds_what_looking_at_each_finds(stored: StoredSystem, plain: list[Concept], text: str) -> None:
    wanted = words(text)
    expected = [c.code for c in plain if holds(c.texts(), wanted)]
    assert [c.code for c in stored.matching(wanted)] == expected
    count = stored.count_matching(wanted)
    assert count is None or count == len(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(
    text=st.lists(st.sampled_from([*ENGLISH, *THAI]), min_size=1)
    .map(" ".join)
    .flatmap(lambda s: st.tuples(st.just(s), st.integers(0, len(s)), st.integers(0, len(s))))
)
def test_any_piece_of_the_names_is_found(
    stored: StoredSystem, plain: list[Concept], text: tuple[str, int, int]
) -> None:
    whole, one, other = text
    wanted = words(whole[min(one, other) : max(one, other)])
    assert [c.code for c in stored.matching(wanted)] == [c.code for c in plain if holds(c.texts(), wanted)]


def test_rare_and_frequent_letters_are_both_covered(plain: list[Concept]) -> None:
    """The filters above test both ways: lists of rare pairs, and rows one by one."""
    assert sum("รื" in "\n".join(c.texts()) for c in plain) > RARE
    assert 0 < sum("59" in "\n".join(c.texts()) for c in plain) < RARE
    assert SIZE // 8 * 2 > COUNTED


def test_codes_without_case(tmp_path: Path) -> None:
    path = tmp_path / "x.concepts"
    write_system(path, Header(URL, None, "X", case_sensitive=False, complete=False), [Concept("A00.1", "Cholera")])
    system = StoredSystem(path)
    found = system.find("a00.1")
    assert found is not None
    assert found.code == "A00.1"
    assert (system.version, system.complete, system.hierarchical()) == (None, False, False)
    system.close()


def test_duplicates_and_unknown_parents_are_counted(tmp_path: Path) -> None:
    given_concepts = [
        Concept("a", "first"),
        Concept("a", "second"),
        Concept("b", parents=("a", "z")),
        Concept("c", parents=("c",)),
    ]
    loaded = write_system(tmp_path / "x.concepts", Header(URL, "1", "X"), given_concepts)
    assert (loaded.concepts, loaded.duplicates, loaded.unknown_parents) == (3, 1, 1)
    (system,) = open_folder(tmp_path)
    first = system.find("a")
    assert first is not None
    assert first.display == "first"
    assert system.ancestors("c") == frozenset()
    system.close()


def test_parents_in_a_circle_end(tmp_path: Path) -> None:
    circle = [Concept("a", parents=("b",)), Concept("b", parents=("a",))]
    write_system(tmp_path / "x.concepts", Header(URL, "1", "X"), circle)
    (system,) = open_folder(tmp_path)
    assert system.ancestors("a") == {"b"}
    assert [c.code for c in system.descendants("a")] == ["b"]
    system.close()


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.concepts"
    write_system(path, Header(URL, "1", "X"), [Concept("old")])

    def broken() -> Iterator[Concept]:
        yield Concept("new")
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="disk"):
        write_system(path, Header(URL, "1", "X"), broken())
    assert [p.name for p in tmp_path.iterdir()] == ["x.concepts"]
    (system,) = open_folder(tmp_path)
    assert [c.code for c in system.all()] == ["old"]
    system.close()


def test_no_concept_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no concept"):
        write_system(tmp_path / "x.concepts", Header(URL, "1", "X"), [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0 broken"])
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.concepts").write_bytes(content)
    with pytest.raises(ValueError, match="not a file of concepts"):
        open_folder(tmp_path)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.concepts"
    write_system(path, Header(URL, "1", "X"), [Concept("a")])
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE about SET value = '99' WHERE key = 'format'")
    database.close()
    with pytest.raises(ValueError, match="format 99"):
        StoredSystem(path)


def test_threads_read_at_the_same_time(stored: StoredSystem) -> None:
    found: list[int] = []

    def read() -> None:
        found.append(sum(1 for _ in stored.matching(("fever",))))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert found[0] > 0


def test_file_names_are_safe() -> None:
    assert file_name("http://hl7.org/fhir/sid/icd-10", "2019") == "hl7-org-fhir-sid-icd-10-2019.concepts"
    assert file_name("urn:x:../../etc", None) == "urn-x-etc.concepts"
    assert open_folder(Path("/no/such/folder")) == []
