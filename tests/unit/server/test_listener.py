"""What the listening side leans on in the pinned aiohttp: an update that moves it fails here, by name."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from aiohttp.web_protocol import RequestHandler

from server import listener

INSIDES = sorted(
    {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(listener.Connection)))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    - set(listener.Connection.__slots__)
    - {name for name in vars(listener.Connection) if name not in ("start", "connection_made", "connection_lost")}
)
"""What Connection uses of itself and does not define: aiohttp's."""


def test_there_are_insides_to_look_after() -> None:
    assert {"_messages", "_parser", "_waiter", "_current_request", "_process_keepalive"} <= set(INSIDES)


@pytest.mark.parametrize("name", INSIDES)
def test_the_connection_of_aiohttp_has_what_ours_uses(name: str) -> None:
    assert hasattr(RequestHandler, name), f"aiohttp {version('aiohttp')} has no RequestHandler.{name}: see listener.py"


def test_the_loop_that_ours_replaces_is_still_what_aiohttp_calls() -> None:
    """`connection_made` starts `self.start()` as the task of the connection, and nothing else is called for it."""
    made = inspect.getsource(RequestHandler.connection_made)
    assert "self.start()" in made
    assert "_task_handler" in made


def test_the_version_is_pinned() -> None:
    locked = Path("requirements/runtime.txt").read_text()
    found = re.search(r"^aiohttp==([0-9.]+)", locked, re.MULTILINE)
    assert found is not None
    assert found[1] == version("aiohttp")
