"""Tables and plots of the bench."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from conformance.bench import report
from conformance.bench.load import Answer, Call, Result
from conformance.bench.plots import bars, lines
from conformance.bench.processes import Usage
from conformance.bench.workloads import Measured

SVG = "{http://www.w3.org/2000/svg}"


def measured() -> Measured:
    result = Result("ingest", seconds=2.0, generator_cpu=0.01)
    for label, status, took in (("a", 200, 0.01), ("a", 200, 0.03), ("b", 400, 0.02), ("b", 503, 0.02)):
        result.note(Call(b"", label, units=10), Answer(status, b"x" * 1000), took)
    return Measured(result, Usage(0.4, 2_000_000), Usage(0.2, 3_000_000))


def run() -> dict[str, Any]:
    each = measured()
    labels = {"ingest": [each.row("a"), each.row("b")]}
    facts = {"workers": 2, "size": 1000, "start_seconds": 0.5}
    return {"target": "OneCard, mongod", "rows": [each.row()], "labels": labels, "broken": {}, **facts}


def test_a_row_says_what_a_request_cost() -> None:
    row = measured().row()
    assert row["requests"] == 4
    assert row["per_second"] == 2.0
    assert row["units_per_second"] == 10.0
    assert (row["refused"], row["failed"]) == (1, 1)
    assert (row["server_cpu_us"], row["database_cpu_us"], row["generator_cpu_us"]) == (100_000, 50_000, 2_500)
    assert (row["server_memory_mb"], row["database_memory_mb"]) == (2.0, 3.0)
    assert (row["p50_ms"], row["p99_ms"]) == (20.0, 30.0)


def test_a_row_of_a_label_has_its_own_latencies_and_failures() -> None:
    first, second = (measured().row(label) for label in ("a", "b"))
    assert (first["requests"], first["p50_ms"], first["failed"]) == (2, 30.0, 0)
    assert (second["refused"], second["failed"]) == (1, 1)


def test_a_table_leaves_out_what_was_not_measured() -> None:
    row = {**measured().row(), "database_cpu_us": 0.0, "database_memory_mb": 0.0}
    text = report.table({**run(), "rows": [row]})
    assert "server CPU us" in text
    assert "database" not in text
    assert "OneCard, mongod, 2 workers" in text
    assert "seconds to the first answer 0.50" in text


def test_values_keep_three_digits() -> None:
    assert [report.value(v) for v in (12345.6, 42.34, 0.123, 7, math.nan, True)] == [
        "12,346", "42.3", "0.12", "7", "-", "yes",
    ]  # fmt: skip
    assert report.value("a|b") == "a\\|b"


def test_everything_is_written(tmp_path: Path) -> None:
    found = {
        "when": "today",
        "machine": "m",
        "connections": 1,
        "seconds": 1,
        "json_bytes_per_resource": 1,
        "runs": [run()],
    }
    files = {file.name: file.read_text() for file in report.write(found, tmp_path, "x")}
    assert set(files) == {"x.json", "x.md", "x-requests.svg", "x-p99.svg"}
    assert json.loads(files["x.json"]) == found
    assert "### OneCard, mongod, 2 workers, 1,000 resources: ingest" in files["x.md"]


def test_the_first_answer_that_failed_is_told() -> None:
    result = Result("ingest", seconds=1.0)
    for status, said in ((400, "refused"), (503, "no primary"), (500, "later")):
        result.note(Call(b""), Answer(status, b"HTTP/1.1 x\r\n\r\n" + said.encode()), 0.1)
    row = Measured(result).row()
    assert row["complaint"] == "503 no primary"
    assert "Failed first of ingest: 503 no primary" in report.table({**run(), "rows": [row]})


def test_what_broke_is_told() -> None:
    assert "**Broken: ingest**: no answer" in report.table({**run(), "broken": {"ingest": "no answer"}})
    whole = report.table(
        {"target": "bare MongoDB", "rows": [], "labels": {}, "broken": {"the whole part": "no mongod"}}
    )
    assert "**Broken: the whole part**: no mongod" in whole


def test_several_sizes_of_a_server_are_compared_and_drawn(tmp_path: Path) -> None:
    larger = run() | {"size": 10_000}
    larger["rows"] = [{**larger["rows"][0], "p50_ms": 30.0}]
    other = run() | {"target": "OneCard, embedded"}
    found = {"runs": [run(), larger, other]}
    assert [len(each) for each in report.by_size(found["runs"]).values()] == [2]
    text = "\n".join(report.side_by_side(found["runs"]))
    assert "| ingest | 10.0 | 10.0 | 10.0 |" in text  # resources/s of all three
    assert "| ingest | 20.0 | 30.0 | 1.50 |" in text  # p50 of the two sizes
    more = {"when": "", "machine": "", "connections": 1, "seconds": 1, "json_bytes_per_resource": 1}
    assert tmp_path / "x-growth-onecard-mongod-2-workers.svg" in report.write(found | more, tmp_path, "x")


def test_a_workload_that_broke_at_one_size_has_no_growth() -> None:
    assert report.growth({1000: run(), 10_000: run() | {"rows": []}}) == {}


def test_bars_are_drawn_to_a_logarithmic_scale() -> None:
    drawn = ElementTree.fromstring(bars("t <&>", {"read": {"a": 10.0, "b": 100.0}, "none": {"a": 0.0, "b": 1000.0}}))
    widths = [float(each.get("width", "0")) for each in drawn.iter(SVG + "rect") if each.get("height") == "10"]
    legend, data = widths[:2], widths[2:]
    assert legend == [10.0, 10.0]
    assert len(data) == 3  # nothing for a value of 0
    assert abs((data[2] - data[1]) - (data[1] - data[0])) < 0.2


def test_a_line_breaks_off_where_nothing_was_measured() -> None:
    drawn = ElementTree.fromstring(lines("t", [10, 100, 1000], {"a": [1, 2, math.inf], "b": [1, 1, 1]}))
    points = [len((each.get("points") or "").split()) for each in drawn.iter(SVG + "polyline")]
    assert points == [2, 3]
