"""HAPI FHIR's JPA server on PostgreSQL, measured beside OneCard in one run: `python -m conformance.bench --hapi`.

Built from Maven Central into build/hapi by the `pom.xml` here; needs Debian's openjdk-17-jdk-headless, maven and
postgresql. No test and no part of OneCard uses it.   https://hapifhir.io/hapi-fhir/docs/server_jpa/introduction.html
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from conformance.bench.load import Target
from conformance.bench.processes import free_port, wait_for

_HERE = Path(__file__).parent
_POM = _HERE / "pom.xml"
VERSION = ElementTree.parse(_POM).findtext(".//{*}hapi", "")
HEAP = "3g"
_BUILT = Path("build/hapi")
_POSTGRESQL = ["-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "-c", "listen_addresses=127.0.0.1"]
"""Else as PostgreSQL comes: what is acknowledged is durable, as with OneCard."""
_START_SECONDS = 300.0


class Hapi(NamedTuple):
    """Running."""

    target: Target
    pid: int
    database_pid: int
    data: Path
    """Folder of PostgreSQL."""


@contextlib.contextmanager
def hapi() -> Iterator[Hapi]:
    """On an empty database, ready to answer; both processes are ended by their ids afterwards.

    Raises: RuntimeError if a program is missing, CalledProcessError if it cannot be built."""
    classpath = f"{_BUILT / 'classes'}:{_BUILT / 'lib'}/*"
    _build()
    with _postgresql() as (url, database_pid, data):
        port = free_port()
        command = ["java", f"-Xmx{HEAP}", "-cp", classpath, "HapiServer", str(port), url]
        with (_BUILT / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/fhir/metadata", process, seconds=_START_SECONDS)
            yield Hapi(Target("127.0.0.1", port, "/fhir"), process.pid, database_pid, data)
        finally:
            process.kill()
            process.wait()


def _build() -> None:
    """Fetches what HAPI needs and compiles the server, unless that was done before."""
    for name in ("java", "javac", "mvn"):
        if shutil.which(name) is None:
            raise RuntimeError(f"no {name}: install openjdk-17-jdk-headless and maven")
    lib, classes = _BUILT / "lib", _BUILT / "classes"
    if not (lib / f"hapi-fhir-base-{VERSION}.jar").exists():
        fetched = ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"]
        subprocess.run([*fetched, f"-DoutputDirectory={lib.absolute()}"], check=True)
    classes.mkdir(parents=True, exist_ok=True)
    compiled = ["javac", "-proc:none", "-nowarn", "-cp", f"{lib}/*", "-d", str(classes)]
    subprocess.run([*compiled, str(_HERE / "HapiServer.java")], check=True)
    (classes / "logback.xml").write_text('<configuration><root level="ERROR"/></configuration>', "utf-8")


@contextlib.contextmanager
def _postgresql() -> Iterator[tuple[str, int, Path]]:
    """(JDBC URL, process id, data folder) of a fresh cluster; as root it runs as the user that Debian made for it."""
    places = [str(each / "bin") for each in sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True)]
    path = os.pathsep.join([*places, os.environ.get("PATH", "")])
    server, install = shutil.which("postgres", path=path), shutil.which("initdb", path=path)
    if server is None or install is None:
        raise RuntimeError("no PostgreSQL: install postgresql")
    who: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder, port = Path(tempfile.mkdtemp(prefix="onecard-hapi-")), free_port()
    if who:
        shutil.chown(folder, "postgres", "postgres")
    try:
        made = [install, "-D", str(folder / "data"), "-U", "hapi", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, cwd=folder, **who)
        command = [server, "-D", str(folder / "data"), "-p", str(port), "-k", str(folder), *_POSTGRESQL]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **who)
        try:
            yield f"jdbc:postgresql://127.0.0.1:{port}/postgres?user=hapi", process.pid, folder / "data"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
