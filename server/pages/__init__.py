"""Web pages for a person with a browser: the start page, any FHIR answer made readable, the token sign-in.

Server-rendered, no script, no build step. Everything is escaped by the template engine; a narrative is shown only after
the narrative checks and in a sandboxed frame; the Content-Security-Policy allows no script at all.
"""

from __future__ import annotations

from server.pages.render import readable, sign_in_page, start_page
from server.pages.style import CONTENT_SECURITY_POLICY, HEADERS, STYLESHEET, STYLESHEET_PATH

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "HEADERS",
    "STYLESHEET",
    "STYLESHEET_PATH",
    "readable",
    "sign_in_page",
    "start_page",
]
