"""`onecard health`: exit code 0 if the server with these settings answers; for container health checks."""

from __future__ import annotations

import argparse
import http.client
import ssl

from server.cli import refuse
from server.cli.settings import add_settings, settings_of
from server.config import SettingRefused, Settings

SECONDS = 4.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser, ("host", "port", "tls-cert", "tls-key"))
    parser.add_argument("--ready", action="store_true", help="ask whether the store takes writes, too / พร้อมเขียนด้วย")


def run(args: argparse.Namespace) -> int:
    try:
        settings = settings_of(args)
    except SettingRefused as error:
        return refuse(error)
    try:
        return 0 if status(settings, "/health/ready" if args.ready else "/health/live") == 200 else 1
    except (OSError, http.client.HTTPException) as error:
        print(f"onecard: no answer: {type(error).__name__}")
        return 1


def status(settings: Settings, path: str) -> int:
    host = ANY_ADDRESS.get(settings.host, settings.host)
    connection: http.client.HTTPConnection
    if settings.tls_cert:
        # The certificate names the public host, and this is the same computer.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, settings.port, timeout=SECONDS, context=context)
    else:
        connection = http.client.HTTPConnection(host, settings.port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
