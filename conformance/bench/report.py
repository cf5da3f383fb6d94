"""What a run of the bench showed, as JSON, as Markdown and as a plot."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conformance.bench.plots import bars

COLUMNS = {
    "workload": "workload",
    "per_second": "requests/s",
    "units_per_second": "resources/s",
    "p50_ms": "p50 ms",
    "p95_ms": "p95 ms",
    "p99_ms": "p99 ms",
    "refused": "refused",
    "failed": "failed",
    "server_cpu_us": "server CPU us",
    "database_cpu_us": "database CPU us",
    "generator_cpu_us": "generator CPU us",
    "server_memory_mb": "server MB",
    "database_memory_mb": "database MB",
}
PLOTS = (("per_second", "requests", "requests a second"), ("p99_ms", "p99", "p99 in milliseconds"))
LABELLED = ("workload", "requests", "p50_ms", "p95_ms", "p99_ms", "refused", "failed")
FACTS = {
    "resources": "resources loaded",
    "disk_bytes_per_resource": "bytes on disk a resource",
    "disk_bytes_per_resource_compacted": "the same compacted",
    "start_seconds": "seconds to the first answer",
    "idle_memory_mb": "MB idle",
    "load_memory_mb": "MB at the end",
    "turn_by_turn": "share of the trivial handler's requests/s, turn by turn",
    "conditional_references": "resolves conditional references",
}


def write(found: dict[str, Any], folder: Path, name: str) -> list[Path]:
    """The files that were written: NAME.json, NAME.md, NAME-requests.svg, NAME-p99.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{name}.json": json.dumps(found, indent=1), f"{name}.md": markdown(found)}
    for measure, file, title in PLOTS:
        texts[f"{name}-{file}.svg"] = bars(title, series(found["runs"], measure))
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts]


def heading(run: dict[str, Any]) -> str:
    workers = run.get("workers")
    return str(run["target"]) + (f", {workers} worker{'s' if workers > 1 else ''}" if workers else "")


def series(runs: Iterable[dict[str, Any]], measure: str) -> dict[str, dict[str, float]]:
    """Workload -> run -> value, of what several runs have measured."""
    found: dict[str, dict[str, float]] = {}
    for run in runs:
        for row in run["rows"]:
            found.setdefault(row["workload"], {})[heading(run)] = float(row[measure])
    return found


def markdown(found: dict[str, Any]) -> str:
    lines = [
        f"# Bench of {found['when']}",
        "",
        f"{found['machine']}; {found['connections']} clients unless the workload says otherwise, {found['seconds']} s",
        f"a workload; resources of {found['json_bytes_per_resource']} bytes of JSON on average.",
    ]
    for run in found["runs"]:
        lines += ["", f"## {heading(run)}", "", table(run)]
        for workload, rows in run["labels"].items():
            lines += ["", f"### {heading(run)}: {workload}", "", rows_as_table(LABELLED, rows)]
    return "\n".join(lines) + "\n"


def table(run: dict[str, Any]) -> str:
    """Rows and facts of a run; columns in which nothing was measured are left out."""
    shown = [c for c in COLUMNS if c in ("workload", "failed") or any(row.get(c) for row in run["rows"])]
    if all(row["units_per_second"] == row["per_second"] for row in run["rows"]):
        shown.remove("units_per_second")
    facts = [f"{text} {value(run[name])}" for name, text in FACTS.items() if name in run]
    return f"{heading(run)}\n\n{rows_as_table(shown, run['rows'])}\n" + (f"\n{'; '.join(facts)}.\n" if facts else "")


def rows_as_table(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(COLUMNS.get(c, c) for c in columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(value(row.get(c, "")) for c in columns) + " |" for row in rows]
    return "\n".join(lines)


def value(found: Any) -> str:
    """Three digits that say something; a name stays as it is."""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, dict):
        return ", ".join(f"{name} {value(each)}" for name, each in found.items())
    if isinstance(found, (int, float)):
        if math.isnan(found):
            return "-"
        if abs(found) >= 100 or isinstance(found, int):
            return f"{found:,.0f}"
        return f"{found:.1f}" if abs(found) >= 10 else f"{found:.2f}"
    return str(found).replace("|", "\\|")
