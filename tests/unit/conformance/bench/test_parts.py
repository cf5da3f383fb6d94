"""What a run of the bench consists of, how long it says it takes, and that it goes on when a part of it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.bench.__main__ import Part, arguments, done, planned
from conformance.bench.load import Target, repeating
from conformance.bench.processes import free_port
from conformance.bench.workloads import Bench


def parts(folder: Path, *given: str) -> list[Part]:
    return planned(arguments(given), folder)


def test_the_full_run_measures_both_engines_at_every_size(tmp_path: Path) -> None:
    names = [each.name for each in parts(tmp_path, "--full")]
    assert [name for name in names if name.startswith("OneCard")] == [
        "OneCard, embedded, 1 worker, 10,000 resources",
        "OneCard, mongod, 1 worker, 10,000 resources",
        "OneCard, embedded, 2 workers, 10,000 resources",
        "OneCard, mongod, 2 workers, 10,000 resources",
        "OneCard, embedded, 2 workers, 100,000 resources",
        "OneCard, mongod, 2 workers, 100,000 resources",
    ]
    assert {"trivial aiohttp handler", "bare SQLite", "bare MongoDB"} < set(names)
    assert {f"import of the 43 files, {store}" for store in ("embedded", "mongod")} < set(names)


def test_a_million_is_measured_where_it_is_asked_for(tmp_path: Path) -> None:
    names = [each.name for each in parts(tmp_path, "--full", "--sizes", "10000", "1000000")]
    assert "OneCard, mongod, 2 workers, 1,000,000 resources" in names


@pytest.mark.parametrize(
    "longer", [("--sizes", "100000"), ("--seconds", "9"), ("--turns", "50"), ("--store", "mongod")]
)
def test_what_takes_longer_is_said_to(tmp_path: Path, longer: tuple[str, str]) -> None:
    short, long = (sum(each.seconds for each in parts(tmp_path, *given)) for given in ((), longer))
    assert long > short + 1


def test_another_server_is_measured_alone(tmp_path: Path) -> None:
    names = [each.name for each in parts(tmp_path, "--url", "http://127.0.0.1:1/fhir", "--no-limits")]
    assert names == ["server at http://127.0.0.1:1/fhir"]


def test_a_part_that_breaks_is_told_in_its_place(tmp_path: Path) -> None:
    [part] = parts(tmp_path, "--url", f"http://127.0.0.1:{free_port()}/fhir", "--no-limits")
    run = done(part)
    assert run["target"] == part.name
    assert "ConnectionRefusedError" in run["broken"]["the whole part"]


def test_a_workload_that_breaks_leaves_the_others(tmp_path: Path) -> None:
    bench = Bench(Target("127.0.0.1", free_port(), "/fhir"), connections=1, seconds=0.01, only=("read by id", "ingest"))
    bench.all()  # nothing answers there, and there is nothing to ask for
    assert set(bench.broken) == {"read by id", "ingest of patient records"}
    assert bench.attempt("sound", lambda: 7) == 7
    assert bench.attempt("refused", lambda: bench.measure("x", repeating([b"GET"]))) is None
    assert "ConnectionRefusedError" in bench.broken["refused"]


def test_arguments_that_cannot_be_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--url", "https://127.0.0.1/fhir"])
    assert "http only" in capsys.readouterr().err
