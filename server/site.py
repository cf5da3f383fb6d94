"""What the server answers beside the FHIR base: health, metrics, start page, sign-in. ONE table, as for FHIR.

The pages bring a template engine, which is loaded when the first browser comes.
/health/live tells that the process works, /health/ready that the store takes writes; neither needs a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from urllib.parse import quote

from server.access import origin, session
from server.access.decide import ANONYMOUS
from server.access.principal import Principal
from server.access.session import Sessions
from server.context import Context
from server.errors import Forbidden, MethodNotAllowed
from server.messages import FhirResponse
from server.observability import metrics as prometheus
from server.observability.metrics import Metrics
from server.store.contract import StoreError
from server.wire.media import FORM
from server.wire.proxy import Client
from server.wire.target import parameters

SIGN_IN = "/sign-in"
STYLESHEET_PATH = "/pages/onecard.css"
"""As in `pages.style`; a test holds them together."""
HTML = "text/html;charset=utf-8"
MAX_FORM_FIELDS = 10
PROBE_SECONDS = 2.0
PROBE = b"1"
ROOM = bytes(256 * 1024)
"""Written instead after a write found no room: a small one may still fit where none of a resource does."""
OFF_LOOP_FROM = 100_000
"""Bytes of a resource from which its page is made in a thread."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to a row of the table."""

    method: str
    headers: Mapping[str, str]
    query: str
    body: bytes
    principal: Principal
    client: Client
    base: str


@dataclass(frozen=True, slots=True)
class SiteRoute:
    path: str
    methods: str
    label: str
    work: Callable[[Visit], Awaitable[FhirResponse]]
    needs_token: bool = False
    page: bool = False
    """For people: who has no session is sent to sign in."""

    async def answer(
        self,
        method: str,
        headers: Mapping[str, str],
        query: str,
        body: bytes,
        principal: Principal,
        client: Client,
        base: str,
    ) -> FhirResponse:
        if method not in self.methods.split():
            raise MethodNotAllowed(f"Only {self.methods} is answered here.", headers={"Allow": self.methods})
        return await self.work(Visit(method, headers, query, body, principal, client, base))


class Site:
    def __init__(self, ctx: Context, sessions: Sessions, metrics: Metrics) -> None:
        self._ctx = ctx
        self._sessions = sessions
        self._metrics = metrics
        self._probed: tuple[float, str] = (0.0, "")
        self.draining = False
        self.full = False
        """A request was refused because the disk is full, and no larger write went through since."""
        reading, form = "GET HEAD", "GET HEAD POST"
        rows = (
            SiteRoute("/health/live", reading, "health", self._live),
            SiteRoute("/health/ready", reading, "health", self._ready),
            SiteRoute("/metrics", reading, "metrics", self._exposition, needs_token=True),
            SiteRoute("/", reading, "start-page", self._start, needs_token=True, page=True),
            SiteRoute(SIGN_IN, form, "sign-in", self._sign_in),
            SiteRoute("/sign-out", "POST", "sign-out", self._sign_out),
            SiteRoute(STYLESHEET_PATH, reading, "stylesheet", self._stylesheet),
        )
        self._rows = {row.path: row for row in rows}

    def find(self, path: str) -> SiteRoute | None:
        return self._rows.get(path)

    # ------------------------------------------------------------ health and metrics

    async def _live(self, visit: Visit) -> FhirResponse:
        return FhirResponse(200, body=b'{"status":"pass"}', media_type="application/json")

    async def _ready(self, visit: Visit) -> FhirResponse:
        wrong = "stopping" if self.draining else await self._probe()
        if wrong:
            body = b'{"status":"fail","reason":"%b"}' % wrong.encode()
            return FhirResponse(503, {"Retry-After": "1"}, body, "application/json")
        return FhirResponse(200, body=b'{"status":"pass"}', media_type="application/json")

    async def _probe(self) -> str:
        """Why the store takes no writes, or nothing; asked once a second at most."""
        when, wrong = self._probed
        if monotonic() - when < 1:
            return wrong
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                if self.full:
                    await self._ctx.store.put_setting("ready-probe", ROOM)
                    self.full = False
                await self._ctx.store.put_setting("ready-probe", PROBE)
            wrong = ""
        except TimeoutError:
            wrong = "the store does not answer"
        except StoreError as error:
            wrong = type(error).__name__
        self._probed = (monotonic(), wrong)
        return wrong

    async def _exposition(self, visit: Visit) -> FhirResponse:
        info = await self._ctx.store.info()
        body = self._metrics.exposition({"store_bytes": info.size}, info.counts)
        return FhirResponse(200, body=body, media_type=prometheus.CONTENT_TYPE)

    # ------------------------------------------------------------ pages

    def page_headers(self) -> dict[str, str]:
        from server.pages import HEADERS

        return HEADERS

    async def readable(self, response: FhirResponse, base: str, by: str) -> bytes:
        """A FHIR answer as a page."""
        from server.pages import readable

        signed_in = not self._ctx.settings.open and by != ANONYMOUS.name
        if response.body is not None and len(response.body) > OFF_LOOP_FROM:
            return await asyncio.to_thread(readable, response, base, signed_in=signed_in)
        return readable(response, base, signed_in=signed_in)

    async def _start(self, visit: Visit) -> FhirResponse:
        from server.pages import start_page

        counts = (await self._ctx.store.info()).counts
        body = start_page(counts, visit.base, signed_in=not self._ctx.settings.open)
        return self._page(200, body)

    async def _stylesheet(self, visit: Visit) -> FhirResponse:
        from server.pages import STYLESHEET

        headers = {"Cache-Control": "max-age=3600", "Content-Security-Policy": "default-src 'none'"}
        return FhirResponse(200, headers, STYLESHEET, "text/css;charset=utf-8")

    async def _sign_in(self, visit: Visit) -> FhirResponse:
        from server.pages import sign_in_page

        if visit.method != "POST":
            fields = dict(parameters(visit.query, MAX_FORM_FIELDS))
            return self._page(200, sign_in_page(failed=False, next_path=local_path(fields.get("next", "/"))))
        fields = self._posted(visit)
        next_path = local_path(fields.get("next", "/"))
        cookie = self._sessions.open(fields.get("token", "").strip(), secure=visit.client.scheme == "https")
        if cookie is None:
            return self._page(403, sign_in_page(failed=True, next_path=next_path))
        return FhirResponse(303, {"Location": next_path, "Set-Cookie": cookie})

    async def _sign_out(self, visit: Visit) -> FhirResponse:
        self._posted(visit)
        ended = session.closed(secure=visit.client.scheme == "https")
        return FhirResponse(303, {"Location": SIGN_IN, "Set-Cookie": ended})

    def _posted(self, visit: Visit) -> dict[str, str]:
        """Fields of a form of our own pages. Raises: Forbidden for one that a foreign page sent."""
        sender = visit.headers.get("origin")
        if sender is None or not origin.same_origin(sender, visit.client.host):
            raise Forbidden("This form is taken from this server's own pages only.")
        if visit.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            raise Forbidden("A form is expected.")
        return dict(parameters(visit.body.decode("utf-8", "replace"), MAX_FORM_FIELDS))

    def _page(self, status: int, body: bytes) -> FhirResponse:
        return FhirResponse(status, self.page_headers(), body, HTML)

    def to_sign_in(self, path: str, query: str) -> FhirResponse:
        """Where a browser without a session goes, and comes back from."""
        wanted = path + ("?" + query if query else "")
        return FhirResponse(303, {"Location": f"{SIGN_IN}?next={quote(wanted, safe='')}"})


def local_path(text: str) -> str:
    """The path if it is one of this server, else the start page: nobody is sent elsewhere after the sign-in."""
    plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if plain and text[:1] == "/" and text[1:2] != "/" else "/"
