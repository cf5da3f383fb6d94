"""The backup file: written and read again equal; every kind of damage is seen."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pyrage
import pytest

from server.store.archive import ArchiveError, Protection, Setting, read_archive, write_archive
from server.store.contract import Version

VERSIONS = [
    Version("Patient", "a", 1, 1_700_000_000_000, 1, "POST", b'{"resourceType":"Patient","id":"a","x":1.00}'),
    Version("Patient", "a", 2, 1_700_000_000_500, 2, "DELETE", None),
]
ABOUT = {"zone": "Asia/Bangkok", "engine": "sqlite", "seq": 2}
SETTINGS = [Setting("cursor/key", b"\x00\x01\xff"), Setting("empty", b"")]
IDENTITY = pyrage.x25519.Identity.generate()

PROTECTIONS = {
    "plain": (Protection(plain=True), {}),
    "passphrase": (Protection(passphrase="ข้าวหอมมะลิ"), {"passphrase": "ข้าวหอมมะลิ"}),
    "recipient": (Protection(recipients=(str(IDENTITY.to_public()),)), {"identities": [str(IDENTITY)]}),
}


async def _versions() -> AsyncIterator[Version]:
    for version in VERSIONS:
        yield version


def archive(protection: Protection) -> bytes:
    out = io.BytesIO()
    asyncio.run(write_archive(out, protection, ABOUT, SETTINGS, _versions(), lambda _: None))
    return out.getvalue()


@pytest.mark.parametrize("kind", PROTECTIONS)
def test_what_was_written_is_read_again(kind: str) -> None:
    protection, keys = PROTECTIONS[kind]
    assert list(read_archive(io.BytesIO(archive(protection)), **keys)) == [ABOUT, *SETTINGS, *VERSIONS]


@pytest.mark.parametrize("kind", ["passphrase", "recipient"])
def test_an_encrypted_backup_shows_nothing_of_its_content(kind: str) -> None:
    data = archive(PROTECTIONS[kind][0])
    assert b"Patient" not in data
    assert b"cursor" not in data


def test_a_wrong_passphrase_is_told() -> None:
    data = archive(PROTECTIONS["passphrase"][0])
    with pytest.raises(ArchiveError, match="passphrase does not fit"):
        list(read_archive(io.BytesIO(data), passphrase="wrong"))


@pytest.mark.parametrize("key", [b"", b" abcde", " ไทย".encode()])
def test_a_key_that_was_changed_or_is_gone_is_told(key: bytes) -> None:
    data = b"onecard-backup 1 passphrase" + key + b"\n" + archive(PROTECTIONS["passphrase"][0]).partition(b"\n")[2]
    with pytest.raises(ArchiveError, match="damaged: the key in its first line"):
        list(read_archive(io.BytesIO(data), passphrase="ข้าวหอมมะลิ"))


def test_a_missing_passphrase_is_asked_for() -> None:
    data = archive(PROTECTIONS["passphrase"][0])
    with pytest.raises(ArchiveError, match="ONECARD_PASSPHRASE"):
        list(read_archive(io.BytesIO(data)))


def test_another_identity_does_not_open_it() -> None:
    data = archive(PROTECTIONS["recipient"][0])
    with pytest.raises(ArchiveError, match="key does not fit"):
        list(read_archive(io.BytesIO(data), identities=[str(pyrage.x25519.Identity.generate())]))


def test_a_bad_public_key_is_refused() -> None:
    with pytest.raises(ArchiveError, match="age public key"):
        archive(Protection(recipients=("age1nonsense",)))


# A passphrase costs a second of scrypt by design: damage is tried with the other two.
@pytest.mark.parametrize("kind", ["plain", "recipient"])
def test_a_cut_off_backup_is_never_taken_for_whole(kind: str) -> None:
    protection, keys = PROTECTIONS[kind]
    data = archive(protection)
    head = data.index(b"\n") + 1
    for length in range(head, len(data), max(1, (len(data) - head) // 20)):
        with pytest.raises(ArchiveError):
            list(read_archive(io.BytesIO(data[:length]), **keys))


def test_a_backup_cut_off_within_its_protected_key_is_called_cut_off_not_the_passphrase_wrong() -> None:
    protection, keys = PROTECTIONS["passphrase"]
    with pytest.raises(ArchiveError, match="cut off"):
        list(read_archive(io.BytesIO(archive(protection)[:200]), **keys))


@pytest.mark.parametrize("kind", ["plain", "recipient"])
def test_a_changed_byte_is_seen(kind: str) -> None:
    protection, keys = PROTECTIONS[kind]
    data = archive(protection)
    head = data.index(b"\n") + 1
    for at in range(head, len(data), max(1, (len(data) - head) // 20)):
        changed = bytearray(data)
        changed[at] ^= 0x40
        try:
            read = list(read_archive(io.BytesIO(bytes(changed)), **keys))
        except ArchiveError:
            continue
        assert read == [ABOUT, *SETTINGS, *VERSIONS]  # a bit that zstd does not use
