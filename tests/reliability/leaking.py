"""A small HTTP server that answers {} to everything: `python leaking.py PORT leaks|sound`; one of them leaks."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

KEPT: list[Any] = []


async def serve(port: int, leaks: bool) -> None:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(lengths[0][15:]) if lengths else 0)
                if leaks:
                    KEPT.append(os.urandom(50_000))
                    if len(KEPT) % 40 == 0:
                        KEPT.append(os.pipe())
                await asyncio.sleep(0.01)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2] == "leaks"))
