"""The yardstick: an aiohttp handler that answers a fixed 1 KB body with a path parameter, on uvloop.

`python -m conformance.bench.trivial PORT`
"""

from __future__ import annotations

import sys

import uvloop
from aiohttp import web

BODY = b'{"resourceType":"Patient","id":"x","text":"' + b"x" * 970 + b'"}'


async def _read(request: web.Request) -> web.Response:
    assert request.match_info["id"]
    return web.Response(body=BODY, content_type="application/fhir+json")


async def _create(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=201, body=BODY, content_type="application/fhir+json")


def main() -> None:
    app = web.Application()
    app.router.add_get("/fhir/{type}/{id}", _read)
    app.router.add_post("/fhir/{type}", _create)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
