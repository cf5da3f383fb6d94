"""Terminology with a large code system: `python -m conformance.bench.terminology [CONCEPTS]`.

Loads invented concepts (500,000 unless told) with English and Thai names through the loader of tables, then measures
the operations from Parameters to answer. Times are milliseconds of processor time, so that others on the
machine do not count.
"""

from __future__ import annotations

import csv
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from terminology.loaders.load import load
from terminology.operations import expand, from_query, lookup, subsumes, validate_code_in_value_set
from terminology.service import TerminologyService
from terminology.storage import open_folder

URL = "http://example.org/large"
NOW = "2026-01-01T00:00:00Z"
ENGLISH = [
    "acute", "chronic", "severe", "mild", "infection", "fracture", "of", "left", "right", "femur", "tibia",
    "hand", "liver", "kidney", "heart", "failure", "diabetes", "mellitus", "type", "with", "without",
    "complications", "unspecified", "bacterial", "viral", "pneumonia", "tablet", "capsule", "solution", "mg",
    "ml",
]  # fmt: skip
THAI = [
    "โรค", "เบาหวาน", "ความดัน", "โลหิต", "สูง", "ไต", "วาย", "เรื้อรัง", "เฉียบพลัน", "กระดูก", "หัก", "แขน",
    "ขา", "ซ้าย", "ขวา", "ปอด", "อักเสบ", "หัวใจ", "ล้มเหลว", "ตา", "หู",
]  # fmt: skip


def write_table(path: Path, concepts: int) -> None:
    """A tree of eight branches a node."""
    invented = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("code", "display", "display_th", "parent", "kind"))
        for number in range(concepts):
            english = f"{' '.join(invented.choices(ENGLISH, k=5))} {number}"
            parent = f"C{(number - 1) // 8:06d}" if number else ""
            rows.writerow((f"C{number:06d}", english, "".join(invented.choices(THAI, k=5)), parent, f"k{number % 50}"))


def measured(work: Callable[[], object], *, times: int = 200) -> str:
    work()
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append((time.process_time() - begun) * 1000)
    taken.sort()
    return f"{statistics.median(taken):8.3f}  {taken[int(len(taken) * 0.99)]:8.3f}"


def run(concepts: int, folder: Path) -> None:
    table = folder / "large.csv"
    write_table(table, concepts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    outcome = load("csv", table, folder / "loaded", url=URL, version="1")
    seconds = time.process_time() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    size = outcome.path.stat().st_size / 1e6
    print(f"load {concepts:,} concepts: {seconds:.1f} s, {size:.0f} MB file, {grown:.0f} MB more memory at the most")
    begun = time.process_time()
    service = TerminologyService(open_folder(folder / "loaded"))
    print(f"open: {(time.process_time() - begun) * 1000:.1f} ms")
    code, parent = f"C{concepts // 2 + 7:06d}", "C000001"
    value_set = URL + "?fhir_vs"
    print(f"{'':52}{'median':>8}  {'p99':>8}  (ms)")
    calls: dict[str, Callable[[], object]] = {
        "$lookup": lambda: lookup(service, from_query([("system", URL), ("code", code)])),
        "$validate-code": lambda: validate_code_in_value_set(
            service, from_query([("url", value_set), ("system", URL), ("code", code)])
        ),
        "validate_code of the validator": lambda: service.validate_code(value_set, URL, code),
        "$subsumes": lambda: subsumes(service, from_query([("system", URL), ("codeA", parent), ("codeB", code)])),
    }
    texts = (
        "diabetes",
        "เบาหวาน",
        "ความดันโลหิตสูง",
        "kidney failure",
        "ไตวาย chronic",
        code[:6],
        "ตา",
        "mg",
        "qq",
        "left right ml",
    )
    for text in texts:
        calls[f"$expand filter={text} count=20"] = expansion(service, value_set, filter=text, count="20")
    calls["$expand is-a filter=ไตวาย count=20"] = expansion(
        service, f"{value_set}=isa/{parent}", filter="ไตวาย", count="20"
    )
    calls["$expand count=20 offset=1000"] = expansion(service, value_set, count="20", offset="1000")
    for name, call in calls.items():
        print(f"{name:52}{measured(call)}")


def expansion(service: TerminologyService, url: str, **texts: str) -> Callable[[], object]:
    parameters = from_query([("url", url), *texts.items()])
    return lambda: expand(service, parameters, now=NOW)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        run(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000, Path(name))
