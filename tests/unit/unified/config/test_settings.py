"""What oms itself reads from the environment."""

from __future__ import annotations

from pathlib import Path

from oms.unified.config.settings import OmsSettings


def test_defaults() -> None:
    """Nothing set, or set to nothing: the folders of the project, colours, and each process on its own."""
    empty = dict.fromkeys(("OMS_FLAGS", "OMS_VAR", "NO_COLOR", "REDIS_URL"), "")

    assert OmsSettings(Path("flags"), Path("var"), no_color=False, redis_url=None) == OmsSettings.read({})
    assert OmsSettings.read({}) == OmsSettings.read(empty)


def test_set() -> None:
    """What is set is taken as it is, and the address of Redis, which may hold a password, is never shown."""
    settings = OmsSettings.read({"OMS_FLAGS": "f", "OMS_VAR": "v", "NO_COLOR": "1", "REDIS_URL": "redis://:hunter2@r"})

    assert (Path("f"), Path("v"), True, "redis://:hunter2@r") == (
        settings.flags,
        settings.var,
        settings.no_color,
        settings.redis_url,
    )
    assert "hunter2" not in repr(settings)
