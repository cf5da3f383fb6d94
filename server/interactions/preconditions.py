"""ETag, If-Match, If-None-Match, If-Modified-Since.

https://hl7.org/fhir/R4/http.html#concurrency https://hl7.org/fhir/R4/http.html#cread
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache

from server.errors import BadRequest, PreconditionFailed
from server.messages import FhirResponse
from server.store.contract import Version

_ETAG = re.compile(r'\s*(?:W/)?"([^"]*)"\s*')
_BARE = re.compile(r"[A-Za-z0-9.\-]{1,64}")

ANY: frozenset[str] = frozenset({"*"})
"""`*`: any version."""


def etag(version: int) -> str:
    return f'W/"{version}"'


def http_date(milliseconds: int) -> str:
    """IMF-fixdate of RFC 9110: whole seconds, GMT."""
    return _http_second(milliseconds // 1000)


@lru_cache(maxsize=1024)
def _http_second(seconds: int) -> str:
    # strftime is not used: its names of days and months follow the locale.
    at = time.gmtime(seconds)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[at.tm_wday]
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[at.tm_mon * 3 - 3 : at.tm_mon * 3]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year:04} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"


def version_headers(version: Version) -> dict[str, str]:
    """ETag and Last-Modified of what is returned."""
    return {"ETag": f'W/"{version.version}"', "Last-Modified": _http_second(version.last_updated // 1000)}


def version_tags(headers: Mapping[str, str], name: str) -> frozenset[str] | None:
    """Version ids that a header lists (`ANY` for `*`); None if the header is absent. A bare `3` is taken as `W/"3"`.

    Raises: BadRequest (neither an entity tag, nor a list of them, nor `*`).
    """
    text = headers.get(name)
    if text is None:
        return None
    if text.strip() == "*":
        return ANY
    tags = set()
    for part in text.split(","):
        found = _ETAG.fullmatch(part)
        if found is None and not _BARE.fullmatch(part.strip()):
            raise BadRequest(f'{_TITLE[name]} must be an entity tag such as W/"3"', code="value")
        tags.add(found[1] if found else part.strip())
    return frozenset(tags)


_TITLE = {"if-match": "If-Match", "if-none-match": "If-None-Match"}


def check_if_match(headers: Mapping[str, str], current: Version | None) -> int | None:
    """Version that must still be current at commit; None if the client set no condition.

    Raises: PreconditionFailed, BadRequest.
    """
    tags = version_tags(headers, "if-match")
    if tags is None:
        return None
    if current is None or current.deleted:
        raise PreconditionFailed("If-Match names a version, but the resource does not exist")
    if tags is not ANY and str(current.version) not in tags:
        found = {"ETag": etag(current.version)}
        raise PreconditionFailed(f"If-Match does not name the current version, {current.version}", headers=found)
    return current.version


def check_if_none_match(headers: Mapping[str, str], current: Version | None) -> bool:
    """True if the resource must not exist at commit (`If-None-Match: *` of an update).

    https://hl7.org/fhir/R4/http.html#update Raises: PreconditionFailed, BadRequest.
    """
    tags = version_tags(headers, "if-none-match")
    if tags is None:
        return False
    if current is not None and not current.deleted and (tags is ANY or str(current.version) in tags):
        raise PreconditionFailed("If-None-Match: the resource exists already", headers={"ETag": etag(current.version)})
    return tags is ANY


def not_modified(headers: Mapping[str, str], version: Version) -> FhirResponse | None:
    """304 if the client has this version already. If-None-Match counts before If-Modified-Since (RFC 9110 13.2.2)."""
    tags = version_tags(headers, "if-none-match")
    if tags is not None:
        if tags is ANY or str(version.version) in tags:
            return FhirResponse(304, version_headers(version))
        return None
    since = headers.get("if-modified-since")
    if since is None:
        return None
    try:
        moment = parsedate_to_datetime(since).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None  # RFC 9110 13.1.3: a date that cannot be read is ignored
    return FhirResponse(304, version_headers(version)) if version.last_updated // 1000 <= moment else None
