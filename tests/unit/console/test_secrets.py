"""No report and no pinned case shows what a caller handed over."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms.console.pinned_case import case_of
from oms.console.report import Wanted, build_report
from oms.console.report_data import ReportData
from oms.console.report_html import render_html
from oms.console.report_json import render_json
from oms.console.report_markdown import render_markdown
from oms.console.report_text import render_text
from oms.domain.stage import Stage
from oms.journal import Journal, JournalReader
from oms.routing import Runtime
from oms.seams.cache import CACHE, TYPES
from oms.testing import fixed_stage
from tests.sides.patience import AMPLE, patient
from tests.unit.routing.sides import MapSide

SECRETS = (
    "sk-live-4711",
    "hunter2hunter2",
    "jane.doe@example.org",
    "4000123412341234",
    "AKIAIOSFODNN7EXAMPLE",
    "tokenofjane",
)


class Leaky(MapSide):
    """Answers otherwise than it was told, and raises with what it was asked for."""

    def get(self, key: str) -> object:
        """Return something else under each key, or raise."""
        if "raise" in key:
            raise ValueError(f"no {key} among {self.values}")
        found = self.values.get(key)
        if isinstance(found, dict):
            return {name: str(value)[::-1] for name, value in found.items()}
        return found if found is None else SECRETS[3]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalReader]:
    """A journal after a shadow over values, keys, field names and exceptions that hold secrets."""
    runtime = Runtime(hash_key=b"k" * 32, limits=AMPLE)
    runtime.bind(patient(TYPES), legacy=MapSide(), unified=Leaky())
    runtime.publish(fixed_stage(Stage.SHADOW, CACHE))
    cache = runtime.facade(TYPES)
    values: list[object] = [SECRETS[0], {"password": SECRETS[1]}, [SECRETS[2]], {SECRETS[2]: SECRETS[3]},
                            {SECRETS[4]: {SECRETS[5]: SECRETS[0]}, "name": SECRETS[1]}]  # fmt: skip
    for place, value in enumerate(values):
        for key in (f"{SECRETS[0]}-{place}", f"raise-{SECRETS[2]}-{place}"):
            cache.set(key, value, ttl=60)
            with contextlib.suppress(ValueError):
                cache.get(key)
    runtime.stop(10)
    writer = Journal(tmp_path / "journal.db", runtime.drain, hash_key=b"k" * 32)
    writer.flush()
    writer.stop(5)
    with JournalReader(tmp_path / "journal.db") as reader:
        yield reader


@pytest.fixture
def leaky(journal: JournalReader) -> ReportData:
    """The report of it."""
    return build_report(journal, demands=lambda _: Wanted(), bound={}, made_at=1.0, command="oms report")


@pytest.mark.parametrize("render", [render_text, render_json, render_html, render_markdown])
def test_no_format_shows_a_secret(leaky: ReportData, render) -> None:
    """Of keys, values, field names that are data, and messages there is type, length and hash in every format."""
    text = render(leaky)

    assert "str of 14" in text or '"length": 14' in text
    assert "ValueError" in text
    assert [] == [secret for secret in SECRETS if secret in text or secret[::-1] in text]


def test_no_pinned_case_shows_a_secret(journal: JournalReader) -> None:
    """Nor does the test that is made of a divergence; what the port allows stands in it."""
    cases = [case_of(group) for group in journal.divergences()]

    assert len(cases) >= 4
    assert all("ttl = 60" in case for case in cases)
    assert [] == [secret for secret in SECRETS for case in cases if secret in case or secret[::-1] in case]
