"""The monolith's reads of its environment behind the port: each place keeps its idiom, a secret is wrapped and nothing else changed."""

from __future__ import annotations

from oms.legacy.env_reads import READS
from oms.seams.config import Asks, Secret, Value, asks_at


class EnvironmentReads:
    """Every place's own ``os.getenv``, asked anew at each call as the place does."""

    def read(self, name: str, site: str) -> Value:
        """Return what *site* makes of *name*.

        Raises:
            UnknownSetting: if the table does not list them together.
            ValueError: as the place does, of a text that is no number, or of an unset name that ``StrictEnv`` insists on.
        """
        asks = asks_at(name, site)
        value: Value = READS[name, site]()
        return Secret(value) if asks is Asks.SECRET and isinstance(value, str) else value


def legacy_settings() -> EnvironmentReads:
    """Return the legacy side of ``config.settings``."""
    return EnvironmentReads()
