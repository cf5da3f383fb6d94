"""TLS with a certificate made here, and its reload."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from server.config import SettingRefused
from server.tls import Certificate
from tests.certificates import presented, write_pair
from tests.unit.server.conftest import PATIENT, StartShell


async def test_answers_come_over_tls_and_links_are_https(start_shell: StartShell, tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "first")
    shell = await start_shell(tls_cert=cert, tls_key=key)
    trusting = ssl.create_default_context(cafile=cert)
    url = f"https://localhost:{shell.port}/fhir/Patient/1"
    async with shell.client.session.get(url, ssl=trusting) as answer:
        assert (answer.status, await answer.read()) == (200, PATIENT)
    assert shell.seen[0].base == f"https://localhost:{shell.port}/fhir"
    plain = await shell.raw(b"GET /fhir/Patient/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" not in plain


async def test_old_protocol_versions_are_refused(start_shell: StartShell, tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "first")
    shell = await start_shell(tls_cert=cert, tls_key=key)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        await asyncio.open_connection("127.0.0.1", shell.port, ssl=old)


async def test_a_changed_certificate_is_taken_for_new_connections(start_shell: StartShell, tmp_path: Path) -> None:
    cert, key = write_pair(tmp_path, "first")
    shell = await start_shell(tls_cert=cert, tls_key=key)
    certificate = shell.listener.certificate
    assert certificate is not None
    assert await presented(shell.port) == "first"
    certificate.reload_if_changed()
    assert await presented(shell.port) == "first"
    write_pair(tmp_path, "second")
    certificate.reload_if_changed()
    assert await presented(shell.port) == "second"


async def test_a_pair_that_does_not_fit_leaves_the_old_one_in_use(
    tmp_path: Path, start_shell: StartShell, capfd: pytest.CaptureFixture[str]
) -> None:
    cert, key = write_pair(tmp_path, "first")
    shell = await start_shell(tls_cert=cert, tls_key=key)
    certificate = shell.listener.certificate
    assert certificate is not None
    old_cert = Path(cert).read_bytes()
    write_pair(tmp_path, "second")
    new_key = Path(key).read_bytes()
    Path(cert).write_bytes(old_cert)
    certificate.reload_if_changed()
    assert await presented(shell.port) == "first"
    Path(cert).unlink()
    certificate.reload_if_changed()
    assert not certificate.reload()
    assert await presented(shell.port) == "first"
    said = capfd.readouterr().err
    assert "not reloaded" in said
    assert new_key.decode()[30:60] not in said


def test_a_pair_that_does_not_fit_is_refused_at_the_start(tmp_path: Path) -> None:
    cert, _ = write_pair(tmp_path, "first")
    (tmp_path / "other").mkdir()
    _, key = write_pair(tmp_path / "other", "second")
    for wrong in ((cert, key), (key, key), (str(tmp_path), key), (cert, _locked(key))):
        with pytest.raises(SettingRefused, match=r"tls-cert .* and tls-key .* must be a certificate"):
            Certificate(*wrong)


def _locked(key: str) -> str:
    """The same key, in a file with a passphrase."""
    locked = Path(key).with_name("locked.pem")
    made = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(
        made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, how)
    )
    return str(locked)
