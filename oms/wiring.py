"""The composition root: the one module that knows both wings, the flags and the journal."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.metrics import MeterProvider

from oms.domain.errors import BadInput, CouldNot
from oms.domain.phase import Phase, Seam
from oms.domain.stage import Side, Stage
from oms.flagging.files import FlagFiles
from oms.flagging.source import FlagSource
from oms.journal.journal import Journal
from oms.journal.process_file import ProcessFile
from oms.journal.telemetry import observe
from oms.legacy_adapters.cache import legacy_documents, legacy_types, legacy_validation
from oms.legacy_adapters.config import legacy_settings
from oms.legacy_adapters.resilience import ProtectionBreakerAdapter, RetryStrategyAdapter, ScheduleBackoffAdapter
from oms.routing import LaneLimits, Runtime
from oms.seams import PHASES
from oms.seams.cache import CACHE, DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache
from oms.seams.config import CONFIG, SETTINGS, Settings
from oms.seams.known import load_known
from oms.seams.resilience import BACKOFF, BREAKER, RESILIENCE, RETRY, Backoff, Breaker, Retry
from oms.unified.cache import CacheRegistry
from oms.unified.cache.metrics import observe as observe_caches
from oms.unified.config import ConfigurationError, UnifiedEnv, UnifiedSettings, unified_env
from oms.unified.resilience import (
    BreakerStore,
    DependencyBreakers,
    DependencyRetries,
    PolicyInvalid,
    ResilienceRegistry,
    UnifiedBackoffCalculator,
)
from oms.unified.resilience.metrics import observe as observe_resilience

Wrap = Callable[[Seam[Any, Any], Side, object], object]
"""Wraps a side before it is bound; the rehearsal's identity check is one."""

BOUND_PHASES: tuple[Phase, ...] = (CACHE, CONFIG, RESILIENCE)
"""The phases whose two wings stand; the others have a flag that nothing listens to yet."""

BOUND_SEAMS: tuple[Seam[Any, Any], ...] = (TYPES, VALIDATION, DOCUMENTS, SETTINGS, RETRY, BACKOFF, BREAKER)
"""The seams that are bound. Their first ports are what ``Oms`` hands out, so every operation of these is one that callers may use."""


@dataclass(frozen=True, slots=True)
class Oms:
    """One process of the service: its facades, and the threads that keep it in step with the flags.

    Attributes:
        types, validation, documents, settings, retry, breaker, backoff: The facades.
        environment: What the unified side of ``settings`` reads.
        breaker_store: What the unified breakers share with those of other processes; None where each process is on its own.
    """

    runtime: Runtime
    source: FlagSource
    journal: Journal
    process_file: ProcessFile
    caches: CacheRegistry
    types: Cache
    validation: Cache
    documents: AsyncCache
    settings: Settings
    environment: UnifiedEnv
    retry: Retry
    breaker: Breaker
    backoff: Backoff
    breaker_store: BreakerStore | None = None

    def start(self) -> None:
        """Read the flags, then follow them: when this returns the first call may be routed.

        Raises:
            ConfigurationError: if unified answers for the configuration of anybody, and the environment is not fit. Nothing runs then.
        """
        self.source.load()
        self._check_environment()
        self.process_file.open()
        self.source.start()
        self.process_file.start()
        self.journal.start()

    def _check_environment(self) -> None:
        """Refuse to start on what unified would refuse at a call; as long as legacy answers everybody, refuse nothing."""
        decision = self.source.table.phases.get(CONFIG.name)
        if decision is not None and max(stage.rank for stage in decision.stages) >= Stage.LIVE.rank:
            try:
                self.environment.validate()
            except ConfigurationError:
                # Reading the flags has made the process file and perhaps started the watchdog.
                self.runtime.stop(0.0)
                self.process_file.close()
                raise

    def stop(self, limit_s: float = 5.0, *, journal_s: float | None = None) -> int:
        """Work off the lanes, write the journal's rest, end every thread. Return how many comparisons were lost.

        Args:
            limit_s: How long the lanes may take, in seconds.
            journal_s: How long the journal may take, in seconds; None for as long as the lanes.
        """
        self.source.stop()
        lost = self.runtime.stop(limit_s)
        self.journal.stop(limit_s if journal_s is None else journal_s)
        self.process_file.stop()
        self.process_file.close()
        if self.breaker_store is not None:
            self.breaker_store.close()
        return lost


def build(
    *,
    flags: Path,
    var: Path,
    wrap: Wrap | None = None,
    limits: LaneLimits | None = None,
    meter_provider: MeterProvider | None = None,
    environment: UnifiedEnv = unified_env,
    redis_url: str | None = None,
) -> Oms:
    """Put one process together. Nothing runs until ``start``.

    Args:
        flags: Folder of the flag files.
        var: Folder for journal, process files, last-good snapshots and the key of the hashes; made if missing.
        wrap: Wraps each side before it is bound.
        limits: Bounds of the lanes.
        meter_provider: Where the counts of the hall, of the unified caches, retries and breakers are exported to; None exports none.
        environment: What the unified side of the configuration reads.
        redis_url: Of the Redis in which the unified breakers keep their state for all processes; None keeps it in this process.

    Raises:
        BadInput: if *redis_url* is unusable.
        BindingError: if a side does not fit its port.
        CouldNot: if *var* can't be written.
    """
    hash_key = _hash_key(var)
    runtime = Runtime(
        rules=[rule for phase in BOUND_PHASES for rule in load_known(phase.name)], hash_key=hash_key, limits=limits
    )
    caches = CacheRegistry()
    store = _breaker_store(redis_url)
    resilience = ResilienceRegistry(store=store)
    _bind_caches(runtime, caches, wrap or _as_it_is)
    _bind_settings(runtime, environment, wrap or _as_it_is)
    _bind_resilience(runtime, resilience, wrap or _as_it_is)
    process_file = ProcessFile(var / "run", runtime.standing)
    source = FlagSource(FlagFiles(flags, PHASES), snapshots=var / "last-good", publish=runtime.publish)
    source.listen(lambda _: process_file.beat())
    if meter_provider is not None:
        observe(meter_provider, runtime.totals)
        observe_caches(meter_provider, caches.caches)
        observe_resilience(meter_provider, budgets=resilience.budgets, breakers=resilience.breakers)
    journal = Journal(var / "journal.db", runtime.drain, hash_key=hash_key)
    runtime.listen(lambda _: process_file.beat())
    runtime.listen(lambda _: journal.wake())
    return Oms(
        runtime=runtime,
        source=source,
        journal=journal,
        process_file=process_file,
        caches=caches,
        types=runtime.facade(TYPES),
        validation=runtime.facade(VALIDATION),
        documents=runtime.facade(DOCUMENTS),
        settings=runtime.facade(SETTINGS),
        environment=environment,
        retry=runtime.facade(RETRY),
        breaker=runtime.facade(BREAKER),
        backoff=runtime.facade(BACKOFF),
        breaker_store=store,
    )


def _bind_caches(runtime: Runtime, caches: CacheRegistry, wrap: Wrap) -> None:
    # Sizes and default lifetimes are those of the legacy caches, so that nothing changes for a caller but who answers.
    sides: tuple[tuple[Seam[Any, Any], object, dict[str, int]], ...] = (
        (TYPES, legacy_types(max_size=1000), {"max_size": 1000}),
        (VALIDATION, legacy_validation(max_size=10_000), {"max_size": 10_000, "ttl": 300}),
        (DOCUMENTS, legacy_documents(), {"max_size": 1000, "ttl": 3600}),
    )
    for seam, legacy, config in sides:
        unified = caches.get_cache(seam.name, config=config)
        runtime.bind(seam, legacy=wrap(seam, Side.LEGACY, legacy), unified=wrap(seam, Side.UNIFIED, unified))


def _bind_settings(runtime: Runtime, environment: UnifiedEnv, wrap: Wrap) -> None:
    legacy, unified = legacy_settings(), UnifiedSettings(environment)
    runtime.bind(SETTINGS, legacy=wrap(SETTINGS, Side.LEGACY, legacy), unified=wrap(SETTINGS, Side.UNIFIED, unified))


def _bind_resilience(runtime: Runtime, registry: ResilienceRegistry, wrap: Wrap) -> None:
    # Thresholds and times are each wing's own: they agree in what the reference gives both (5 failures, 60 s, 3 probes).
    sides: tuple[tuple[Seam[Any, Any], object, object], ...] = (
        (RETRY, RetryStrategyAdapter(), DependencyRetries(registry)),
        (BREAKER, ProtectionBreakerAdapter(), DependencyBreakers(registry)),
        (BACKOFF, ScheduleBackoffAdapter(), UnifiedBackoffCalculator()),
    )
    for seam, legacy, unified in sides:
        runtime.bind(seam, legacy=wrap(seam, Side.LEGACY, legacy), unified=wrap(seam, Side.UNIFIED, unified))


def _breaker_store(redis_url: str | None) -> BreakerStore | None:
    """Return the store at *redis_url*; it connects when the first breaker asks, so a Redis that is down stops no start."""
    if redis_url is None:
        return None
    try:
        return BreakerStore(redis_url)
    except PolicyInvalid as error:
        raise BadInput("REDIS_URL", found=error.found, wanted=error.wanted, mend="or leave it unset") from error


def _as_it_is(seam: Seam[Any, Any], side: Side, implementation: object) -> object:
    return implementation


def _hash_key(var: Path) -> bytes:
    """Return the key that hashes payload values, made at the first start and shared by every process of this folder."""
    path = var / "hash.key"
    try:
        # Read first: a process that starts again on a full or read-only disk needs no room for a key that is there.
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        var.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            _make_key(path)
        return path.read_bytes()
    except OSError as error:
        raise CouldNot(f"{path}: {error.strerror or error}, wanted a folder that can be written") from error


def _make_key(path: Path) -> None:
    """Write a new key whole: under another name first, because two processes may start at once."""
    fresh = path.with_name(f".hash.key.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(32))
    finally:
        os.close(descriptor)
    try:
        os.link(fresh, path)
    finally:
        fresh.unlink()
