"""TLS with a certificate made here, and its reload."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.tls import Certificate
from tests.unit.server.conftest import PATIENT, StartShell


def write_pair(folder: Path, name: str) -> tuple[str, str]:
    """A self-signed certificate for localhost with this common name, in the same two files each time."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(cert_file), str(key_file)


async def presented(port: int) -> str:
    """Common name of the certificate that a new connection gets."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    attribute = x509.load_der_x509_certificate(raw).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0]
    return str(attribute.value)


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
    with pytest.raises(ssl.SSLError):
        Certificate(cert, key)
