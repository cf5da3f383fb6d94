"""HTTP <-> FhirRequest/FhirResponse: one handler function, no framework above it.

Order of a FHIR request: limits, Host and Origin, who sends it, the address, the format of the answer, the body, and
then `boundary.handle`. Everything that is wrong before that is an OperationOutcome as well.
https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import cast

from fhir_profiles.json_reading import read_json, write_json, write_pretty_json
from server import boundary
from server.access import origin
from server.access.decide import ANONYMOUS, OPEN, decide
from server.access.principal import Principal
from server.access.session import Sessions
from server.access.tokens import Tokens
from server.config import FHIR_PATH, Settings
from server.context import Context
from server.errors import (
    BadRequest,
    FhirError,
    MethodNotAllowed,
    NotFound,
    StorageFull,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from server.messages import FhirRequest, FhirResponse
from server.observability import failures
from server.observability.metrics import Metrics
from server.observability.request_log import RequestLog
from server.outcome import response_of
from server.site import Site
from server.wire import compression, media, reply, target
from server.wire.body import read_body
from server.wire.incoming import Incoming
from server.wire.proxy import Client
from server.wire.reply import Reply

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

_REQUEST_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CORRELATION_ID = re.compile(r"[!-~]{1,128}")
_SWEEP_SECONDS = 0.5
READABLE = 4 << 20
"""Bytes of a streamed answer that are made into a page or indented; a longer one is sent as it is."""
PRETTY_OFF_LOOP_FROM = 100_000


class Exchange:
    """What is known of one request from its first line to its last byte."""

    __slots__ = ("by", "client", "gzip", "headers", "id", "label", "method", "pretty", "started", "want")

    def __init__(self, request_id: str) -> None:
        self.started = perf_counter()
        self.id = request_id
        self.method = ""
        self.label = "unread"
        self.by = ""
        self.headers: Mapping[str, str] = {}
        self.client: Client | None = None
        self.want = media.DEFAULT
        self.pretty = False
        self.gzip = False


class Shell:
    """Answers the requests of all connections of one process (listener.py)."""

    def __init__(
        self,
        ctx: Context,
        *,
        tokens: Tokens,
        sessions: Sessions,
        metrics: Metrics,
        log: RequestLog,
        handle: Callable[[Context, FhirRequest], Awaitable[FhirResponse]] = boundary.handle,
    ) -> None:
        self.ctx = ctx
        self.settings: Settings = ctx.settings
        self.metrics = metrics
        self._idle = asyncio.Event()
        self._handle = handle
        self._tokens = tokens
        self._sessions = sessions
        self._log = log
        self._site = Site(ctx, sessions, metrics)
        self._loop = asyncio.get_running_loop()
        self._id_prefix = secrets.token_hex(6)
        self._count = 0
        self._at_work: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._active = 0

    # ------------------------------------------------------------ one request

    async def __call__(self, http: Incoming) -> bool:
        """Answers one request; whether its connection goes on. Raises: ConnectionError (the client is gone)."""
        self._count += 1
        exchange = Exchange(f"{self._id_prefix}{self._count:x}")
        self._active += 1
        self.metrics.in_flight(self._active)
        task = cast("asyncio.Task[object]", asyncio.current_task(self._loop))
        self._at_work[task] = exchange.started
        try:
            response = await self._answer(http, exchange)
        except FhirError as error:
            response = response_of(error, exchange.id)
        except asyncio.CancelledError:
            if task not in self._overdue:
                self._finish(exchange, 499, 0)
                raise
            task.uncancel()
            response = response_of(self._too_late(), exchange.id)
        except Exception as error:
            response = self._bug(error, exchange)
        finally:
            del self._at_work[task]
            self._overdue.discard(task)
        try:
            answer = await self._reply(http, exchange, response)
        except asyncio.CancelledError:
            self._finish(exchange, 499, 0)
            raise
        except Exception as error:
            answer = await self._reply(http, exchange, self._bug(error, exchange))
        try:
            await answer.send(http.connection)
        finally:
            self._finish(exchange, answer.status, answer.sent)
        return answer.keep_alive

    async def _answer(self, http: Incoming, exchange: Exchange) -> FhirResponse:
        said = http.said(self.settings.trusted_proxy)
        headers = exchange.headers = said.headers
        exchange.method = http.method
        exchange.gzip = said.gzip
        exchange.client = client = said.client
        path, query = target.origin_form(http.path)
        if path.startswith(FHIR_PATH) and path[5:6] in ("/", ""):
            return await self._fhir(http, exchange, path[6:], query)
        if self.settings.open:
            origin.refuse_foreign(headers, self.settings.cors_origin)
        site = self._site.find(path)
        if site is None:
            raise NotFound(f"Nothing is answered here; the FHIR base is {self._base(client)}.")
        exchange.label = site.label
        principal = self._principal(exchange)
        if site.needs_token and principal is ANONYMOUS:
            return self._site.to_sign_in(path, query) if site.page else response_of(_no_token(), exchange.id)
        body = await self._body(http, headers) if http.body_exists else b""
        return await site.answer(http.method, headers, query, body, principal, client, self._base(client))

    async def _fhir(self, http: Incoming, exchange: Exchange, path: str, query: str) -> FhirResponse:
        settings, headers, method = self.settings, exchange.headers, exchange.method
        exchange.label = "refused"
        if method == "OPTIONS" and "access-control-request-method" in headers:
            return FhirResponse(204, origin.preflight_headers(headers.get("origin"), settings.cors_origin))
        if settings.open:
            origin.refuse_foreign(headers, settings.cors_origin)
        if method not in METHODS:
            raise MethodNotAllowed(
                "This method is not part of FHIR's REST interface.", headers={"Allow": ", ".join(sorted(METHODS))}
            )
        principal = self._principal(exchange)
        parameters = target.parameters(query, settings.max_parameters)
        segments = target.segments(path)
        self._negotiate(exchange, segments, headers.get("accept", ""), parameters)
        request = FhirRequest(
            method, segments, parameters, headers, self._base(exchange.client), principal, request_id=exchange.id
        )
        if self._active > settings.max_in_flight:
            self.metrics.refused()
            raise TooManyRequests("Too many requests are at work; try again.", headers={"Retry-After": "1"})
        if http.body_exists:
            await self._take_body(http, request)
        response = await self._handle(self.ctx, request)
        exchange.label = request.route.label if request.route is not None else "none"
        if exchange.pretty or exchange.want.format == media.HTML:
            await response.collect(READABLE)
        if response.status == 401 and exchange.want.format == media.HTML:
            return self._site.to_sign_in(FHIR_PATH + "/" + path, query)
        return response

    async def _take_body(self, http: Incoming, request: FhirRequest) -> None:
        if request.principal is ANONYMOUS:
            # Nothing that takes a body is public: refuse before reading it.
            decide(ANONYMOUS, None, request)
        headers = request.headers
        request.media_type = media.body_type(headers.get("content-type", ""))
        if headers.get("content-length") != "0":
            body = await self._body(http, headers)
            if not body:
                return
            media.check_body(request.method, request.path, request.media_type)
            if request.media_type == media.FORM and request.path[-1:] == ("_search",):
                self._add_form(request, body)
            else:
                request.body = body

    def _add_form(self, request: FhirRequest, body: bytes) -> None:
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest("The form is not valid UTF-8.") from None
        left = self.settings.max_parameters - len(request.query)
        request.query += target.parameters(text.strip(), left)

    async def _body(self, http: Incoming, headers: Mapping[str, str]) -> bytes:
        limit = self.settings.max_body_bytes
        declared, transport = int(headers.get("content-length", "0")), http.connection.transport
        if headers.get("expect", "").lower() == "100-continue" and declared <= limit and transport:
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await read_body(http, declared, headers.get("content-encoding", ""), limit, self.settings.body_timeout)

    # ------------------------------------------------------------ parts of a request

    def _principal(self, exchange: Exchange) -> Principal:
        if self.settings.open:
            principal = OPEN
        elif header := exchange.headers.get("authorization"):
            scheme, _, secret = header.partition(" ")
            found = self._tokens.principal(secret.strip()) if scheme.lower() == "bearer" else None
            if found is None:
                raise _no_token("invalid_token")
            principal = found
        elif exchange.method in ("GET", "HEAD") and (cookie := exchange.headers.get("cookie")):
            principal = self._sessions.principal(cookie) or ANONYMOUS
        else:
            principal = ANONYMOUS
        exchange.by = principal.name
        return principal

    def _negotiate(self, exchange: Exchange, path: tuple[str, ...], accept: str, parameters: target.Parameters) -> None:
        wanted = None
        for name, value in parameters:
            if name == "_format":
                wanted = value
            elif name == "_pretty":
                exchange.pretty = value == "true"
        want = media.negotiate(accept, wanted)
        if want.format is None and path[:1] != ("Binary",):
            raise media.not_acceptable()
        exchange.want = want

    def _base(self, client: Client | None) -> str:
        if self.settings.base_url:
            return self.settings.base_url
        assert client is not None
        return f"{client.scheme}://{client.host}{FHIR_PATH}"

    # ------------------------------------------------------------ the answer

    async def _reply(self, http: Incoming, exchange: Exchange, response: FhirResponse) -> Reply:
        body = response.body
        if body is None and response.resource is not None:
            body = write_json(response.resource)
        media_type, head = response.media_type, response.headers
        if media_type == media.FHIR_JSON:
            media_type = exchange.want.media_type
            if exchange.want.format == media.HTML and response.stream is None and response.status != 304:
                response.body = body
                head = head | self._site.page_headers()
                body, media_type = (
                    await self._site.readable(response, self._base(exchange.client), exchange.by),
                    "text/html;charset=utf-8",
                )
            elif exchange.pretty and body and response.stream is None:
                body = await _pretty(body)
        return await self._written(http, exchange, response, head, body or b"", media_type)

    async def _written(
        self,
        http: Incoming,
        exchange: Exchange,
        response: FhirResponse,
        headers: Mapping[str, str],
        body: bytes,
        media_type: str,
    ) -> Reply:
        status, stream = response.status, response.stream
        lines = [reply.STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"]
        has_content = bool(body) or stream is not None
        if has_content and exchange.gzip and compression.compressible(media_type):
            if stream is not None:
                stream = compression.compressed_stream(stream)
                lines.append("Content-Encoding: gzip\r\n")
            elif len(body) >= compression.COMPRESS_FROM:
                body = await compression.compressed(body)
                lines.append("Content-Encoding: gzip\r\n")
        # HTTP/1.0 knows no chunks: there the end of the connection is the end of the stream.
        chunked = stream is not None and http.modern
        if chunked:
            lines.append("Transfer-Encoding: chunked\r\n")
        elif stream is None and status not in reply.BODILESS:
            lines.append(f"Content-Length: {len(body)}\r\n")
        if has_content:
            lines.append(f"Content-Type: {media_type}\r\n")
        keep_alive = self._keep_alive(http, status) and (stream is None or chunked)
        lines.append(reply.header_lines(headers) if headers else "")
        lines.append(self._closing_lines(http, exchange, headers, keep_alive))
        if exchange.method == "HEAD" or status in reply.BODILESS:
            body, stream, chunked = b"", None, False

        return Reply(status, "".join(lines), body, keep_alive=keep_alive, stream=stream, chunked=chunked)

    def _closing_lines(self, http: Incoming, exchange: Exchange, headers: Mapping[str, str], keep_alive: bool) -> str:
        sent = exchange.headers.get("x-request-id")
        request_id, correlation = exchange.id, ""
        if sent is not None:
            if _REQUEST_ID.fullmatch(sent):
                request_id = sent
            elif _CORRELATION_ID.fullmatch(sent):
                # https://hl7.org/fhir/R4/http.html#custom : ours is another one, so theirs goes back beside it
                correlation = f"X-Correlation-Id: {sent}\r\n"
        safety = reply.SAFETY if "Content-Security-Policy" not in headers else ""
        cors = self.settings.cors_origin and origin.cors_headers(
            exchange.headers.get("origin"), self.settings.cors_origin
        )
        connection = "" if keep_alive and http.modern else f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n"
        more = reply.header_lines({name: cors[name] for name in cors if name not in headers}) if cors else ""
        return (
            f"{safety}{more}{connection}{correlation}X-Request-Id: {request_id}\r\nDate: {reply.date_header()}\r\n\r\n"
        )

    def _keep_alive(self, http: Incoming, status: int) -> bool:
        if self._site.draining or not http.keep_alive:
            return False
        # What is left of a refused body may be long; the connection is not worth reading it.
        return http.content.is_eof() or status not in (400, 401, 403, 408, 413, 415, 429)

    # ------------------------------------------------------------ bookkeeping

    def _finish(self, exchange: Exchange, status: int, sent: int) -> None:
        seconds = perf_counter() - exchange.started
        self._active -= 1
        self.metrics.in_flight(self._active)
        if not self._active and self._site.draining:
            self._idle.set()
        if status == StorageFull.status:
            self._site.full = True
        method = exchange.method if exchange.method in METHODS or exchange.method == "OPTIONS" else "other"
        self.metrics.record(exchange.label, method, status, seconds)
        self._log.record(exchange.id, exchange.label, method, status, seconds, sent, exchange.by)

    def _bug(self, error: Exception, exchange: Exchange) -> FhirResponse:
        failures.record(error, exchange.id)
        self.metrics.failed()
        return response_of(error, exchange.id)

    def _too_late(self) -> FhirError:
        return Unavailable(
            f"The answer took longer than {self.settings.time_limit:g} seconds; ask for less at a time. "
            "If this was a write its outcome is unknown.",
            code="timeout",
            headers={"Retry-After": "10"},
        )

    def unread(self, status: int, body: bytes) -> Reply:
        """Answer to what the HTTP parser could not read."""
        self.metrics.record("unread", "other", status, 0.0)
        head = (
            f"{reply.STATUS_LINES[status]}Content-Type: {media.DEFAULT.media_type}\r\nContent-Length: {len(body)}\r\n"
            f"{reply.SAFETY}Connection: close\r\nDate: {reply.date_header()}\r\n\r\n"
        )
        return Reply(status, head, body, keep_alive=False)

    def drain(self) -> None:
        """From now on every answer is the last of its connection, and the server is not ready."""
        self._site.draining = True
        if not self._active:
            self._idle.set()

    async def idle(self, seconds: float) -> None:
        """Returns when nothing is in flight, or after these seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    async def watch_time(self) -> None:
        """Ends requests that take too long; runs as long as the server."""
        limit = self.settings.time_limit
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, limit / 4))
            oldest = perf_counter() - limit
            for task in [task for task, started in self._at_work.items() if started < oldest]:
                if task not in self._overdue:
                    self._overdue.add(task)
                    task.cancel()


async def _pretty(body: bytes) -> bytes:
    """The same JSON indented, numbers as they were written; a large one is made in a thread."""
    if len(body) < PRETTY_OFF_LOOP_FROM:
        return write_pretty_json(read_json(body)) + b"\n"
    return await asyncio.to_thread(lambda: write_pretty_json(read_json(body)) + b"\n")


def _no_token(problem: str = "") -> Unauthorized:
    challenge = 'Bearer realm="onecard"' + (f', error="{problem}"' if problem else "")
    text = "The bearer token is unknown, revoked or expired." if problem else "A bearer token is needed."
    return Unauthorized(text, headers={"WWW-Authenticate": challenge})
