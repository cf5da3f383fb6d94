"""The backup file: every version of every resource and the store's settings, the same for both engines.

Layout: a head line in plain text, then one zstd stream, encrypted by age (https://age-encryption.org/v1) unless plain:

    onecard-backup 1 plain|recipient|passphrase [the age identity, itself encrypted by the passphrase, in base64]

Inside, lines that end with a checksum, so that a cut-off file is seen:

    {"zone": ..., "engine": ..., "seq": ...}
    s TAB key TAB value in base64                              settings: keys, secrets, checkpoints
    v TAB type TAB id TAB version TAB lastUpdated ms TAB method TAB body     in commit order; no body: a deletion
    e TAB number of versions TAB SHA-256 of all before, in hex

Bodies are compact JSON, in which no raw tab or line end can occur.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import pyrage
import zstandard

from server.store.contract import Version

MAGIC = "onecard-backup 1"
CUT_OFF = "the backup is cut off: its end is missing"


class ArchiveError(Exception):
    """The file is no backup, is cut off or changed, or the key does not fit; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Protection:
    """How a backup is kept secret: exactly one of the three."""

    passphrase: str | None = None
    recipients: tuple[str, ...] = ()
    """age public keys: age1..."""
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    key: str
    value: bytes


# ---------------------------------------------------------------- writing


def _encryptor(out: IO[bytes], protection: Protection) -> list[pyrage.x25519.Recipient] | None:
    """Writes the head line; gives whom the rest is for, None for nobody in particular.

    A passphrase protects a key made for this file: age's own passphrase mode has no streaming interface here.
    """
    if protection.plain:
        out.write(f"{MAGIC} plain\n".encode())
        return None
    if protection.passphrase is not None:
        identity = pyrage.x25519.Identity.generate()
        locked = pyrage.passphrase.encrypt(str(identity).encode(), protection.passphrase)
        out.write(f"{MAGIC} passphrase {base64.b64encode(locked).decode()}\n".encode())
        return [identity.to_public()]
    out.write(f"{MAGIC} recipient\n".encode())
    try:
        return [pyrage.x25519.Recipient.from_str(key) for key in protection.recipients]
    except pyrage.RecipientError as error:
        raise ArchiveError(f"not an age public key (age1...): {error}") from None


class ArchiveWriter:
    """Lines into a file. `close` writes the checksum line; without it the file is known as cut off."""

    def __init__(self, out: IO[bytes], protection: Protection) -> None:
        recipients = _encryptor(out, protection)
        self._thread: threading.Thread | None = None
        self._failure: list[BaseException] = []
        sink = out
        if recipients is not None:
            read_end, write_end = os.pipe()
            sink = os.fdopen(write_end, "wb", buffering=1 << 16)
            self._pipe: IO[bytes] | None = sink
            self._thread = threading.Thread(target=self._encrypt, args=(read_end, out, recipients))
            self._thread.start()
        else:
            self._pipe = None
        self._zstd = zstandard.ZstdCompressor(level=6).stream_writer(sink, closefd=False)
        self._sum = hashlib.sha256()
        self._versions = 0

    def _encrypt(self, read_end: int, out: IO[bytes], recipients: list[pyrage.x25519.Recipient]) -> None:
        try:
            with os.fdopen(read_end, "rb") as source:
                pyrage.encrypt_io(source, out, recipients)
        except BaseException as error:  # handed to close(): a thread has nobody to raise to
            self._failure.append(error)

    def _line(self, *fields: bytes) -> None:
        line = b"\t".join(fields) + b"\n"
        self._sum.update(line)
        self._zstd.write(line)

    def head(self, about: dict[str, Any]) -> None:
        self._line(json.dumps(about).encode())

    def setting(self, key: str, value: bytes) -> None:
        self._line(b"s", key.encode(), base64.b64encode(value))

    def version(self, v: Version) -> None:
        self._versions += 1
        numbers = (b"%d" % v.version, b"%d" % v.last_updated)
        self._line(b"v", v.type.encode(), v.id.encode(), *numbers, v.method.encode(), v.body or b"")

    def close(self) -> None:
        """Raises: OSError of the file."""
        self._zstd.write(b"e\t%d\t%s\n" % (self._versions, self._sum.hexdigest().encode()))
        self._zstd.close()  # type: ignore[no-untyped-call]  # a gap in the package's types
        if self._thread is not None and self._pipe is not None:
            self._pipe.close()
            self._thread.join()
        if self._failure:
            raise self._failure[0]


# ---------------------------------------------------------------- reading


def _decryptor(source: IO[bytes], head: str, passphrase: str | None, identities: Iterable[str]) -> IO[bytes]:
    words = head.split(" ")
    if " ".join(words[:2]) != MAGIC:
        raise ArchiveError("this is not a OneCard backup of version 1")
    kind = words[2] if len(words) > 2 else ""
    if kind == "plain":
        return source
    try:
        if kind == "passphrase":
            if passphrase is None:
                raise ArchiveError(
                    "this backup is protected by a passphrase: give it in ONECARD_PASSPHRASE or when asked"
                )
            unlocked = pyrage.passphrase.decrypt(base64.b64decode(words[3]), passphrase)
            keys = [pyrage.x25519.Identity.from_str(unlocked.decode())]
        else:
            keys = [pyrage.x25519.Identity.from_str(text) for text in identities]
            if not keys:
                raise ArchiveError("this backup is for a public key: give its age identity file with --identity")
    except pyrage.DecryptError:
        raise ArchiveError("the passphrase does not fit this backup") from None
    except (ValueError, IndexError):
        raise ArchiveError("the backup is damaged: the key in its first line was changed or cut off") from None
    except pyrage.IdentityError:
        raise ArchiveError("the identity file holds no age identity (AGE-SECRET-KEY-1...)") from None
    return _decrypted(source, keys)


def _decrypted(source: IO[bytes], keys: list[pyrage.x25519.Identity]) -> IO[bytes]:
    read_end, write_end = os.pipe()
    reader = _PipeReader(os.fdopen(read_end, "rb", buffering=1 << 16))

    def decrypt() -> None:
        try:
            with os.fdopen(write_end, "wb", buffering=1 << 16) as sink:
                try:
                    pyrage.decrypt_io(source, sink, keys)
                except (pyrage.DecryptError, OSError, ValueError) as error:
                    reader.failure = error
        except BrokenPipeError:
            pass  # the reader has closed its end: it needs no more

    threading.Thread(target=decrypt, daemon=True).start()
    return reader  # type: ignore[return-value]


class _PipeReader:
    """The reading end; raises what the decrypting thread met instead of ending early."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if not data and self.failure is not None:
            raise ArchiveError(
                "the backup cannot be decrypted: the key does not fit, or the file was changed or cut off"
            )
        return data

    def close(self) -> None:
        self._stream.close()


def read_archive(
    source: IO[bytes], *, passphrase: str | None = None, identities: Iterable[str] = ()
) -> Iterator[dict[str, Any] | Setting | Version]:
    """The head, then settings and versions as they were written. Raises: ArchiveError, also at the end if the checksum
    does not fit: do not take what was read for whole before the iterator has ended."""
    head = source.readline(1 << 16).decode("utf-8", "replace")
    if head.startswith(MAGIC) and not head.endswith("\n"):
        raise ArchiveError(CUT_OFF)
    stream = _decryptor(source, head.rstrip("\n"), passphrase, identities)
    total, versions = hashlib.sha256(), 0
    try:
        for line in _lines(zstandard.ZstdDecompressor().stream_reader(stream)):
            if line.startswith(b"e\t"):
                _, number, checksum = line.rstrip(b"\n").split(b"\t")
                if int(number) != versions or checksum.decode() != total.hexdigest():
                    raise ArchiveError("the checksum of the backup does not fit: it was changed")
                return
            total.update(line)
            if line.startswith(b"v\t"):
                versions += 1
                yield _version(line, versions)
            elif line.startswith(b"s\t"):
                _, key, value = line.rstrip(b"\n").split(b"\t")
                yield Setting(key.decode(), base64.b64decode(value))
            else:
                yield json.loads(line)
    except (zstandard.ZstdError, ValueError, EOFError) as error:
        raise ArchiveError(f"the backup is damaged: {error}") from None
    finally:
        if stream is not source:
            stream.close()
    raise ArchiveError(CUT_OFF)


def _version(line: bytes, seq: int) -> Version:
    _, kind, number, version, updated, method, body = line.rstrip(b"\n").split(b"\t")
    return Version(kind.decode(), number.decode(), int(version), int(updated), seq, method.decode(), body or None)


def _lines(stream: Any) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 20):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest


async def write_archive(
    out: IO[bytes],
    protection: Protection,
    about: dict[str, Any],
    settings: Iterable[Setting],
    versions: AsyncIterator[Version],
    advance: Callable[[int], None],
) -> None:
    """A whole backup; advance(1) for every version."""
    writer = ArchiveWriter(out, protection)
    writer.head(about)
    for setting in settings:
        writer.setting(setting.key, setting.value)
    async for version in versions:
        writer.version(version)
        advance(1)
    writer.close()
