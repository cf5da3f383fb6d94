"""Import of the 43 files, end to end: `python -m conformance.bench.imports [--people N] [--processes N] [--store S]`.

Generates a synthetic village, then runs `onecard import f43` as a command into an empty store: rows and resources a
second, mapped, checked as REST checks, durable; seconds of processor time of all its processes for each resource, which
holds on a busy machine too; memory of the largest process; and what the same zip costs a second time, when nothing
is written. Files that do not refer to each other are loaded together: rows and resources a second of each such phase.
With `--store mongod` the store is a mongod of the bench's own, whose processor time is told beside that of the import.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from conformance.bench.database import Database, mongod
from conformance.bench.processes import usage
from server.cli.sample import write_f43

REPORT = Path("build/bench/imports.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.bench.imports", description=__doc__)
    parser.add_argument("--people", type=int, default=200, help="of the village; about 340 resources each")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--store", default="embedded", help="embedded (default) or mongod, both new and temporary; or a store URL"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onecard-imports-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        rows = write_f43(folder / "village.zip", args.people, 1, 5)
        database = stack.enter_context(mongod()) if args.store == "mongod" else None
        store = database.url if database else args.store
        store = f"sqlite:///{folder}/onecard.db" if store == "embedded" else store
        runs = [measured(folder, store, args.processes, database) for _ in range(2)]
    (first, phases), (again, _) = runs
    report = {"people": args.people, "rows": rows, "processes": args.processes, "first": first, "again": again}
    report |= {"store": args.store if "://" not in args.store else "by URL", "phases": phases}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1))
    for label, run in (("first", first), ("again", again)):
        print(f"{label:<8}" + "  ".join(f"{key} {value:,}" for key, value in run.items()))
    print(f"{'rows':>8}{'resources':>11}{'seconds':>9}{'rows/s':>8}{'resources/s':>13}  files")
    for each in phases:
        files = ", ".join(each["files"][:4]) + (" ..." if len(each["files"]) > 4 else "")
        print(
            f"{each['rows']:>8,}{each['resources']:>11,}{each['seconds']:>9.2f}{each['rows_per_second']:>8,}"
            f"{each['resources_per_second']:>13,}  {files}"
        )


def measured(
    folder: Path, store: str, processes: int, database: Database | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One run of the command, and its phases. database: what works for the store beside the command."""
    command = [sys.executable, "-m", "server.cli", "import", "f43", str(folder / "village.zip"), "--json"]
    command += ["--store", store, "--data-folder", str(folder), "--processes", str(processes)]
    beside = usage(database.pid).cpu if database else 0.0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    [told] = json.loads(done.stdout)["imports"]
    rows = sum(counts["read"] for counts in told["files"].values())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    beside = usage(database.pid).cpu - beside if database else 0.0
    run = {
        "resources": told["resources"],
        "seconds": round(seconds, 2),
        "resources_per_second": round(told["resources"] / told["seconds"]),
        "rows_per_second": round(rows / told["seconds"]),
        "cpu_us_per_resource": round(cpu * 1e6 / max(1, told["resources"])),
        "cpu_us_per_row": round(cpu * 1e6 / rows),
        "cores_busy": round((cpu + beside) / seconds, 2),
        "largest_process_mb": round(after.ru_maxrss / 1024),
    }
    if database:
        run["mongod_cpu_us_per_resource"] = round(beside * 1e6 / max(1, told["resources"]))
    return run, told["phases"]


if __name__ == "__main__":
    main()
