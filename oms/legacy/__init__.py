"""The old building: the monolith's own modules under its own paths, quirks included. Only legacy_adapters imports it; others are told so."""

import sys

from oms.legacy.deprecation import LegacyModule

sys.modules[__name__].__class__ = LegacyModule
