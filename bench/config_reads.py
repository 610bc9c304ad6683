"""Reading a setting: ``unified_env`` beside ``os.getenv``, both sides of the port. Best rounds: a read is shorter than the noise."""

from __future__ import annotations

import os

from bench.results import Line
from bench.timing import Timing, interleaved
from oms.legacy_adapters.config import legacy_settings
from oms.unified.config import UnifiedEnv, UnifiedSettings, standard_groups
from oms.unified.config.groups.access import AccessSettings

LIMIT = 1.02
NAME, SITE = "IAM_TIMEOUT", "core/integrations/iam_service_client.py"


def measure() -> list[Line]:
    """Return the lines of this section."""
    os.environ["IAM_TIMEOUT"] = "10"
    os.environ["ENVIRONMENT"] = "development"
    os.environ.pop("IAM_RETRIES_OF_NOBODY", None)
    return _reads() + _sides()


def _reads() -> list[Line]:
    env = UnifiedEnv(standard_groups)
    group = env.group(AccessSettings)
    getenv = os.getenv
    times = interleaved(
        {
            "os.getenv": lambda: getenv("IAM_TIMEOUT"),
            "os.getenv, unset": lambda: getenv("IAM_RETRIES_OF_NOBODY", "3"),
            "get": lambda: env.get("IAM_TIMEOUT"),
            "attribute": lambda: group.IAM_TIMEOUT,
            "getenv": lambda: env.getenv("IAM_TIMEOUT"),
            "getenv, unset": lambda: env.getenv("IAM_RETRIES_OF_NOBODY", "3"),
        },
        rounds=41,
    )
    return [
        _line("unified_env.get, typed and checked", times, "get", "os.getenv"),
        _line("an attribute of its group", times, "attribute", "os.getenv"),
        _line("unified_env.getenv, set", times, "getenv", "os.getenv"),
        _line("unified_env.getenv, unset with a default", times, "getenv, unset", "os.getenv, unset"),
    ]


def _sides() -> list[Line]:
    legacy, unified = legacy_settings(), UnifiedSettings(UnifiedEnv(standard_groups))
    times = interleaved(
        {"legacy": lambda: legacy.read(NAME, SITE), "unified": lambda: unified.read(NAME, SITE)}, rounds=41
    )
    return [_line("the port, unified", times, "unified", "legacy")]


def _line(title: str, times: dict[str, Timing], what: str, beside: str) -> Line:
    found, peer = times[what].best_ns, times[beside].best_ns
    ratio = found / peer
    return Line(
        title, found, "ns", f"< {LIMIT:g} x {beside}", ratio < LIMIT, f"{beside}: {peer:.4g} ns, ratio {ratio:.3f}"
    )


if __name__ == "__main__":
    for measured in measure():
        print(
            f"{measured.what:45} {measured.value:9.0f} ns   {measured.peer}   {'' if measured.is_met is None else measured.is_met}"
        )
