"""What tests of compiled searches share: the types of their fixtures, and the words of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from server.errors import BadRequest
from server.search.request import SearchRequest

Ask = Callable[..., SearchRequest]
Criterion = Callable[[str, str], Any]
LOINC = "http://loinc.org"


def refusal(ask: Ask, kind: str | None, query: str, **more: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        ask(kind, query, **more)
    return str(caught.value)
