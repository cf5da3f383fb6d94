"""The only wiring: from settings to everything a process needs to answer requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from fhir_profiles.validation import Validator
from server.access import session
from server.access.session import Sessions
from server.access.tokens import Tokens
from server.clock import now_ms
from server.config import Settings
from server.conformance_resources import ConformanceResources
from server.context import Context
from server.dispatch import Routes
from server.jobs import Jobs
from server.knowledge import knowledge
from server.logical_id import new_id
from server.observability.metrics import Metrics
from server.observability.request_log import RequestLog
from server.reindexing import Reindexing
from server.routes import ROUTES
from server.search.cursor import new_key
from server.search.engine import Search
from server.search.parse import Limits
from server.store.contract import Store
from server.store.open import SERVED, open_store
from server.web import Shell

CURSOR_KEY_NAME = "key/cursor"
"""Setting of the store."""


@dataclass(slots=True)
class App:
    """One process's server, not listening yet."""

    ctx: Context
    shell: Shell
    log: RequestLog

    async def close(self) -> None:
        """Ends background work and closes the store; nothing may be in flight."""
        await self.ctx.jobs.close()
        await self.ctx.reindexing.close()
        await self.ctx.conformance.close()
        await self.log.close()
        await self.ctx.store.close()


async def build_context(
    settings: Settings,
    *,
    clock: Callable[[], int] = now_ms,
    ids: Callable[[], str] = new_id,
    rezone: bool = False,
    must_exist: bool = False,
    wary: bool = False,
) -> Context:
    """What handlers need, without a web server: for commands too. The caller closes `store`.

    rezone: another zone than the store's is taken; the caller then calls `store.rezone`.
    must_exist: no new store is made. wary: none in a database whose name may be mistyped (`open_store`).

    Raises: StoreRefused, StoreUnavailable, StoreFull, SettingRefused (a broken file of a code system).
    """
    definitions, terminology = knowledge(settings)
    search = Search(
        definitions,
        terminology,
        zone=settings.timezone,
        base_urls=(settings.base_url,) if settings.base_url else (),
        limits=Limits(
            parameters=settings.max_parameters,
            alternatives=settings.max_values,
            count=settings.max_page_size,
            default_count=settings.page_size,
            text=settings.text_search,
        ),
        now=clock,
    )
    store = await open_store(
        settings.store,
        search.rules,
        zone=settings.timezone,
        clock=clock,
        rezone=rezone,
        must_exist=must_exist,
        wary=wary,
    )
    await _use_cursor_key(search, store)
    return Context(
        settings=settings,
        store=store,
        definitions=definitions,
        validator=Validator(definitions, terminology),
        search=search,
        terminology=terminology,
        routes=Routes(definitions.resource_types, ROUTES),
        jobs=Jobs(store, clock),
        reindexing=Reindexing(store, search, definitions, clock),
        conformance=ConformanceResources(store, definitions, terminology),
        clock=clock,
        ids=ids,
    )


async def _use_cursor_key(search: Search, store: Store) -> None:
    """Page links are sealed with a key that lives in the store, so that every worker opens those of the others."""
    key = await store.put_setting(CURSOR_KEY_NAME, new_key(), only_if_absent=True)
    search.cursors.use((key,), (await store.info()).epoch)


async def build(
    settings: Settings,
    *,
    metrics: Metrics | None = None,
    clock: Callable[[], int] = now_ms,
    ids: Callable[[], str] = new_id,
) -> App:
    """Raises: SettingRefused, StoreRefused, StoreUnavailable, StoreFull."""
    metrics = metrics or Metrics()
    log = RequestLog(settings.request_log, metrics)
    ctx = await build_context(settings, clock=clock, ids=ids, wary=True)
    await ctx.store.put_setting(SERVED, b"1", only_if_absent=True)
    key = await ctx.store.put_setting(session.KEY_NAME, secrets.token_bytes(32), only_if_absent=True)
    tokens = Tokens(settings.token_file, clock)
    shell = Shell(ctx, tokens=tokens, sessions=Sessions(key, tokens, clock), metrics=metrics, log=log)
    await ctx.jobs.start()
    await ctx.reindexing.start()
    await ctx.conformance.start()
    return App(ctx, shell, log)
