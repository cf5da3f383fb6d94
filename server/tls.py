"""TLS of the listener, with its certificate loaded again when the files change or on SIGHUP.

The context stays the same object: connections that are open keep their certificate, new ones get the new one.
"""

from __future__ import annotations

import os
import ssl
import sys

from server.config import SettingRefused


class Certificate:
    def __init__(self, cert: str, key: str) -> None:
        """Raises: SettingRefused."""
        self._cert, self._key = cert, key
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        try:
            _load(self.context, cert, key)
        except OSError as error:
            raise SettingRefused(
                f"tls-cert {cert!r} and tls-key {key!r} must be a certificate (PEM) and its key, without a passphrase: "
                f"{error.strerror}"
            ) from None
        self._seen = self._stamp()

    def reload(self) -> bool:
        """Whether the files, which must fit each other, are in use now; the old pair stays in use otherwise."""
        try:
            # Tried on a context of its own first: a pair that does not fit would spoil the one in use.
            _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), self._cert, self._key)
            _load(self.context, self._cert, self._key)
        except OSError as error:
            sys.stderr.write(f"TLS certificate not reloaded: {type(error).__name__}: {error.strerror}\n")
            return False
        return True

    def reload_if_changed(self) -> None:
        try:
            stamp = self._stamp()
        except OSError:
            return
        if stamp != self._seen and self.reload():
            self._seen = stamp

    def _stamp(self) -> tuple[int, ...]:
        return tuple(value for path in (self._cert, self._key) for value in _identity(path))


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Asks nobody for a passphrase: a service has no terminal.   Raises: OSError, and ssl.SSLError, which is one."""
    context.load_cert_chain(cert, key, password="")


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_ino
