"""Guardrails: rules over what both sides did, valid however often somebody looks.

Every statistic here is an e-process (:mod:`oms.domain.guardrails.eprocess`) except two that are none on purpose: the plain breaker
``HardFail``, and the counting of units that ``FirstPerUnit`` does before anything is fed.
"""

from oms.domain.guardrails.hard_fail import HardFail
from oms.domain.guardrails.rate import RateAlarm, RateGate, RateRule, rate_bound
from oms.domain.guardrails.ratio import PAIRED, RatioGuard, RatioRule
from oms.domain.guardrails.reading import Reading, split_alpha
from oms.domain.guardrails.restart import Restart
from oms.domain.guardrails.share import ShareCheck
from oms.domain.guardrails.slow import SlowLine, freeze
from oms.domain.guardrails.unit import FirstPerUnit, is_next_slot

__all__ = [
    "PAIRED",
    "FirstPerUnit",
    "HardFail",
    "RateAlarm",
    "RateGate",
    "RateRule",
    "RatioGuard",
    "RatioRule",
    "Reading",
    "Restart",
    "ShareCheck",
    "SlowLine",
    "freeze",
    "is_next_slot",
    "rate_bound",
    "split_alpha",
]
