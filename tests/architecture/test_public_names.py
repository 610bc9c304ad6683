"""No public name and no parameter goes unnoticed."""

from __future__ import annotations

import json

import pytest

from tests.architecture.public_names import SNAPSHOT, losses, public_names


def test_nothing_is_lost() -> None:
    """Every name and parameter of the snapshot is still there; a loss is mended, or accepted with ``make names`` and told in CHANGELOG.md."""
    lost = losses(json.loads(SNAPSHOT.read_text(encoding="utf-8")), public_names())

    assert [] == lost, "\n".join(lost)


def test_snapshot_holds_the_ports() -> None:
    """The snapshot looks at something: port, hall and unified caches stand in it with their parameters."""
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))

    assert {"key", "value", "ttl"} == snapshot["oms.seams.cache.Cache.set"].keys()
    assert {"seam", "legacy", "unified"} == snapshot["oms.routing.Runtime.bind"].keys()
    assert {"name", "config"} == snapshot["oms.unified.cache.CacheRegistry.get_cache"].keys()


BEFORE = {"a.f": {"x": "position or keyword", "y": "keyword, optional"}, "a.LIMIT": None}


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        (BEFORE, []),
        ({**BEFORE, "a.g": {}}, []),
        ({"a.f": BEFORE["a.f"]}, ["a.LIMIT is gone"]),
        ({**BEFORE, "a.f": {"x": "position or keyword"}}, ["a.f: parameter y is gone"]),
        ({**BEFORE, "a.f": {**BEFORE["a.f"], "z": "keyword, optional"}}, []),
        ({**BEFORE, "a.f": {**BEFORE["a.f"], "z": "keyword"}}, ["a.f: parameter z is new and has no default"]),
        ({**BEFORE, "a.f": {"x": "position or keyword, optional", "y": "position or keyword, optional"}}, []),
        (
            {**BEFORE, "a.f": {"x": "position or keyword", "y": "keyword"}},
            ["a.f: parameter y was passed by keyword, optional, now by keyword"],
        ),
        (
            {**BEFORE, "a.f": {"x": "keyword", "y": "keyword, optional"}},
            ["a.f: parameter x was passed by position or keyword, now by keyword"],
        ),
        (
            {**BEFORE, "a.f": {"w": "position or keyword, optional", **BEFORE["a.f"]}},
            ["a.f: positions were (x), now (w, x)"],
        ),
        ({**BEFORE, "a.f": None}, ["a.f: can no longer be called"]),
        ({**BEFORE, "a.LIMIT": {}}, []),
    ],
)
def test_losses(now: dict[str, dict[str, str] | None], lost: list[str]) -> None:
    """What can break a caller is said with the name and the parameter; what cannot is not."""

    assert lost == losses(BEFORE, now)
