"""What a run of the bench showed, as JSON, as Markdown and as plots."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from conformance.bench.plots import bars, lines

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
    "database_cache_gb": "GB of the database's cache",
    "start_seconds": "seconds to the first answer",
    "idle_memory_mb": "MB idle",
    "load_memory_mb": "MB at the end",
    "share_of_a_core": "share of a core that each process has",
    "turn_by_turn": "share of the trivial handler's requests/s, turn by turn",
    "conditional_references": "resolves conditional references",
}


def write(found: dict[str, Any], folder: Path, name: str) -> list[Path]:
    """The files that were written: NAME.json, NAME.md, NAME-requests.svg, NAME-p99.svg; of a server that was measured
    with several sizes also NAME-growth-SERVER.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{name}.json": json.dumps(found, indent=1), f"{name}.md": markdown(found)}
    for measure, file, title in PLOTS:
        texts[f"{name}-{file}.svg"] = bars(title, series(found["runs"], measure))
    for server, runs in by_size(found["runs"]).items():
        slug = re.sub(r"\W+", "-", server.lower())
        texts[f"{name}-growth-{slug}.svg"] = lines(f"{server}: p50 in milliseconds", list(runs), growth(runs))
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts]


def server(run: dict[str, Any]) -> str:
    workers = run.get("workers")
    return str(run["target"]) + (f", {workers} worker{'s' if workers > 1 else ''}" if workers else "")


def heading(run: dict[str, Any]) -> str:
    return server(run) + (f", {run['size']:,} resources" if "size" in run else "")


def by_size(runs: Iterable[dict[str, Any]]) -> dict[str, dict[int, dict[str, Any]]]:
    """Server -> size -> run, of those that were measured with several sizes."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for run in runs:
        if "size" in run:
            found.setdefault(server(run), {})[run["size"]] = run
    return {name: sizes for name, sizes in found.items() if len(sizes) > 1}


def growth(runs: dict[int, dict[str, Any]]) -> dict[str, list[float]]:
    """Workload -> p50 in milliseconds with each size; a workload that broke with one of them is left out."""
    found: dict[str, list[float]] = {}
    for run in runs.values():
        for row in run["rows"]:
            found.setdefault(row["workload"], []).append(float(row["p50_ms"]))
    return {name: each for name, each in found.items() if len(each) == len(runs)}


def series(runs: Iterable[dict[str, Any]], measure: str) -> dict[str, dict[str, float]]:
    """Workload -> run -> value, of what several runs have measured."""
    found: dict[str, dict[str, float]] = {}
    for run in runs:
        for row in run["rows"]:
            found.setdefault(row["workload"], {})[heading(run)] = float(row[measure])
    return found


def markdown(found: dict[str, Any]) -> str:
    text = [
        f"# Bench of {found['when']}",
        "",
        f"{found['machine']}; {found['connections']} clients unless the workload says otherwise, {found['seconds']} s",
        f"a workload; resources of {found['json_bytes_per_resource']} bytes of JSON on average.",
    ]
    text += ["", *side_by_side(found["runs"])]
    for run in found["runs"]:
        text += ["", f"## {heading(run)}", "", table(run)]
        for workload, rows in run["labels"].items():
            text += ["", f"### {heading(run)}: {workload}", "", rows_as_table(LABELLED, rows)]
    return "\n".join(text) + "\n"


def side_by_side(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Resources/s of all servers, and how p50 grows with the size, as Markdown."""
    servers = [run for run in runs if "size" in run]
    text = []
    if len(servers) > 1:
        rows = [{"workload": name, **each} for name, each in series(servers, "units_per_second").items()]
        text += ["## Resources/s side by side", "", rows_as_table(["workload", *map(heading, servers)], rows)]
    for name, sizes in by_size(runs).items():
        columns = [f"{size:,}" for size in sizes]
        rows = [
            {"workload": workload, **dict(zip(columns, each, strict=True)), "growth": each[-1] / (each[0] or math.nan)}
            for workload, each in growth(sizes).items()
        ]
        text += ["", f"## {name}: p50 ms by size", "", rows_as_table(["workload", *columns, "growth"], rows)]
    return text


def table(run: dict[str, Any]) -> str:
    """Rows and facts of a run; columns in which nothing was measured are left out. Then the first answer of
    each workload that failed, and what broke."""
    failed = [f"\nFailed first of {row['workload']}: {row['complaint']}\n" for row in run["rows"] if "complaint" in row]
    broken = "".join([*failed, *(f"\n**Broken: {name}**: {why}\n" for name, why in run["broken"].items())])
    if not run["rows"]:
        return f"{heading(run)}\n" + (f"\n```\n{run['printed']}```\n" if "printed" in run else "") + broken
    shown = [c for c in COLUMNS if c in ("workload", "failed") or any(row.get(c) for row in run["rows"])]
    if all(row["units_per_second"] == row["per_second"] for row in run["rows"]):
        shown.remove("units_per_second")
    facts = [f"{text} {value(run[name])}" for name, text in FACTS.items() if name in run]
    return (
        f"{heading(run)}\n\n{rows_as_table(shown, run['rows'])}\n"
        + (f"\n{'; '.join(facts)}.\n" if facts else "")
        + broken
    )


def rows_as_table(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    text = ["| " + " | ".join(COLUMNS.get(c, c) for c in columns) + " |", "|" + "---|" * len(columns)]
    text += ["| " + " | ".join(value(row.get(c, "")) for c in columns) + " |" for row in rows]
    return "\n".join(text)


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
