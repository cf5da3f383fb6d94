"""The one stylesheet and the headers that every page carries."""

from __future__ import annotations

from importlib.resources import files

STYLESHEET_PATH = "/pages/onecard.css"
STYLESHEET: bytes = files("server.pages").joinpath("onecard.css").read_bytes()

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)

HEADERS: dict[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: under it browsers send `Origin: null` with forms, and a sign-in is taken from our own pages.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
