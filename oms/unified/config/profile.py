"""The one notion of where the service runs."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """Where the service runs."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


DEPLOYED = frozenset({Profile.PRODUCTION, Profile.STAGING})
"""The profiles in which security-critical variables are required."""

_WORDS = {
    "prod": Profile.PRODUCTION,
    "stage": Profile.STAGING,
    "dev": Profile.DEVELOPMENT,
    "local": Profile.DEVELOPMENT,
    "testing": Profile.TEST,
} | {profile.value: profile for profile in Profile}


def profile_named(text: str) -> Profile | None:
    """Return the profile of *text*, whatever its letter case and the blanks around it; None if it is none."""
    return _WORDS.get(text.strip().lower())
