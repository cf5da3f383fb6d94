"""Real MariaDB and PostgreSQL servers from Debian's packages, each in a temporary folder on a free loopback port.

They run as a user that is not root, are ended by their process id, and live as long as the pytest session.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.bench.processes import free_port

_START_SECONDS = 90
READER = "reader"
PASSWORD = "only-for-tests"


@dataclass(frozen=True, slots=True)
class Server:
    kind: str
    """`mysql` or `postgresql`."""
    port: int
    user: str
    """Operating-system user that it runs as; "" for our own."""
    client: tuple[str, ...]
    """Command of the administrator's client; takes SQL on standard input."""

    def sql(self, text: str, database: str = "") -> str:
        """What the administrator's client prints, columns parted by tabs."""
        more = [database] if database else []
        done = subprocess.run(
            [*self.client, *more],
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **_as(self.user),
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def url(self, database: str, user: str = READER, **options: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"{self.kind}://{user}@127.0.0.1:{self.port}/{database}" + (f"?{query}" if query else "")


def _as(user: str) -> dict[str, object]:
    """Arguments of subprocess to run as another user; none where we are not root."""
    if not user:
        return {}
    found = pwd.getpwnam(user)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": [], "cwd": "/"}


def _user(wanted: str) -> str:
    """Neither server runs as root."""
    if os.getuid() != 0:
        return ""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(wanted).pw_name
    return "nobody"


@contextlib.contextmanager
def _folder(user: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="onecard-his-"))
    try:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(command: Sequence[str], user: str, log: Path, stop: signal.Signals) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **_as(user))  # type: ignore[call-overload]
    try:
        yield
    finally:
        os.kill(process.pid, stop)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()


def _until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.sql("SELECT 1;")
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _binary(name: str, *places: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join((*places, os.environ.get("PATH", ""), "/usr/sbin")))


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    """Skips where Debian's mariadb-server is not installed."""
    daemon, install, client = _binary("mariadbd"), _binary("mariadb-install-db"), _binary("mariadb")
    if not (daemon and install and client):
        pytest.skip("no MariaDB server: Debian package mariadb-server")
    user = _user("mysql")
    with _folder(user) as folder:
        data, socket, port = folder / "data", folder / "s", free_port()
        made = [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        made += ["--skip-test-db", "--innodb-log-file-size=8M"]
        subprocess.run(made, check=True, capture_output=True, timeout=120, **_as(user))  # type: ignore[call-overload]
        command = [daemon, "--no-defaults", f"--datadir={data}", f"--socket={socket}", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0"]
        command += [
            "--skip-log-bin",
            "--skip-name-resolve",
            f"--pid-file={folder / 'pid'}",
            "--character-set-server=utf8mb4",
        ]
        admin = (client, "--no-defaults", f"--socket={socket}", "-uroot", "-N", "--default-character-set=utf8mb4")
        with _running(command, user, folder.parent / f"{folder.name}.log", signal.SIGTERM):
            server = Server("mysql", port, "", admin)
            _until_it_answers(server)
            yield server
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


@contextlib.contextmanager
def postgresql() -> Iterator[Server]:
    """Skips where Debian's postgresql is not installed."""
    places = [str(each / "bin") for each in sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True)]
    daemon, install, client = _binary("postgres", *places), _binary("initdb", *places), _binary("psql", *places)
    if not (daemon and install and client):
        pytest.skip("no PostgreSQL server: Debian package postgresql")
    user = _user("postgres")
    with _folder(user) as folder:
        data, port = folder / "data", free_port()
        made = [install, "-D", str(data), "-U", "admin", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]
        made += ["--encoding=UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, timeout=120, **_as(user))  # type: ignore[call-overload]
        command = [daemon, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
        command += ["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20"]
        admin = (client, "-X", "-q", "-A", "-t", "-F\t", "-v", "ON_ERROR_STOP=1", "-h", str(folder), "-p", str(port))
        admin += ("-U", "admin", "-d")
        with _running(command, user, folder.parent / f"{folder.name}.log", signal.SIGINT):
            server = _Postgresql("postgresql", port, user, admin)
            _until_it_answers(server)
            yield server
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


class _Postgresql(Server):
    def sql(self, text: str, database: str = "postgres") -> str:
        return Server.sql(self, text, database or "postgres")
