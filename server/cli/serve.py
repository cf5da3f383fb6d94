"""`onecard serve`: start the server."""

from __future__ import annotations

import argparse
import gc
import socket
from collections.abc import Sequence

from server.access.tokens import TokenFileError, read_tokens
from server.cli import refuse
from server.cli.settings import add_settings, settings_of
from server.config import FHIR_PATH, SettingRefused, Settings

QUERIES = (
    ("Patient?_count=5", "patients / ผู้ป่วย"),
    ("Observation?code=http://loinc.org%7C8867-4&_count=5", "heart rates / ชีพจร"),
    ("metadata", "what the server can do / ความสามารถของเซิร์ฟเวอร์"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
    except SettingRefused as error:
        return refuse(error)
    gc.disable()  # nothing of the start is garbage; the worker turns it on when it is up
    from server.listener import listen

    try:
        sockets = listen(settings.host, settings.port, copies=settings.workers)
    except OSError as error:
        return refuse(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}")
    return serve(settings, sockets)


def serve(settings: Settings, sockets: Sequence[socket.socket]) -> int:
    from server.observability.metrics import Metrics

    def ready() -> None:
        print(greeting(settings, sockets[0].getsockname()[1]), flush=True)

    if settings.workers == 1:
        from server.worker import Place, run_worker

        return run_worker(settings, sockets, Place(Metrics()), ready)
    from server.supervisor import Supervisor

    return Supervisor(settings, sockets).run(ready)


def _some_token(settings: Settings) -> bool:
    try:
        return bool(read_tokens(settings.token_file))
    except TokenFileError:
        return True  # whoever calls will be told


def greeting(settings: Settings, port: int) -> str:
    """Where it listens, and three queries to try."""
    scheme = "https" if settings.tls_cert else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = settings.base_url or f"{scheme}://{host}:{port}{FHIR_PATH}"
    lines = [f"OneCard listens at {scheme}://{host}:{port}/  (FHIR: {base})"]
    if settings.open:
        lines.append("Open mode: no authorization, this computer only / โหมดเปิด: ไม่ตรวจสิทธิ์ ใช้ได้เฉพาะเครื่องนี้")
    elif not _some_token(settings):
        lines.append("No system has a token yet / ยังไม่มีระบบใดมีโทเค็น: onecard token add NAME")
    header = "" if settings.open else ' -H "Authorization: Bearer $TOKEN"'
    lines.append("Try / ลอง:")
    lines += [f"  curl{header} '{base}/{query}'   # {text}" for query, text in QUERIES]
    return "\n".join(lines)
