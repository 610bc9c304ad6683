"""One leader: the newest term, however it was come by."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.domain.errors import CouldNot, FlipRefused
from oms.rollout.guard.leader import Candidate, newest_term


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "var" / "guard"


def test_only_one_leads(terms: Path) -> None:
    """The first one leads and goes on leading; the second leads once the first has let go, with a higher number."""
    with Candidate(terms) as first, Candidate(terms) as second:
        assert (True, False, True) == (first.lead(), second.lead(), first.lead())
        assert (1, 0) == (first.number, second.number)
        first.fence()
        first.resign()
        assert second.lead()
        assert 2 == second.number
        assert ["2"] == [entry.name for entry in terms.iterdir()]


def test_one_that_does_not_look(terms: Path) -> None:
    """A leader that has not looked for too long is replaced although it lives, and is refused when it wakes up."""
    with Candidate(terms) as first, Candidate(terms, stale_after_s=-1.0) as second:
        assert first.lead()
        assert second.lead()
        with pytest.raises(FlipRefused, match="term 1 of oms guard is over: another controller leads"):
            first.fence()
        second.fence()
        assert not first.lead()
        second.resign()
        assert first.lead()
        assert 3 == first.number


def test_a_folder_that_is_wiped(terms: Path) -> None:
    """A term that was made anew under the same number is another one."""
    with Candidate(terms) as first, Candidate(terms) as second:
        assert first.lead()
        (terms / "1").unlink()
        assert second.lead()
        assert 1 == second.number
        with pytest.raises(FlipRefused):
            first.fence()


def test_a_higher_number_is_enough(terms: Path) -> None:
    """Whoever makes the next term has taken the lead, even before it puts the old one away."""
    with Candidate(terms) as leader:
        assert leader.lead()
        (terms / "2").touch()
        with pytest.raises(FlipRefused):
            leader.fence()


def test_what_others_see(terms: Path) -> None:
    """Whoever asks is told who leads, by which profile, and whether it lives; nobody ever led reads as None."""
    assert newest_term(terms) is None
    with Candidate(terms, profile="rehearsal") as leader:
        leader.lead()
        term = newest_term(terms)
        assert term is not None
        assert (1, True, True, "rehearsal") == (term.number, term.held, term.stands, term.profile)
    term = newest_term(terms)
    assert term is not None
    assert not term.stands


def test_a_file_that_says_nothing(terms: Path) -> None:
    """A term that is not signed yet is led if it is locked, and free if it is not."""
    terms.mkdir(parents=True)
    (terms / "7").write_bytes(b"")
    (terms / "notes").write_bytes(b"")
    with Candidate(terms) as leader:
        assert leader.lead()
        assert 8 == leader.number


def test_no_folder_to_be_had(tmp_path: Path) -> None:
    """Where no term can be written nobody leads, and the error says so."""
    (tmp_path / "guard").write_text("a file")
    with pytest.raises(CouldNot, match="wanted a folder that can be written"):
        Candidate(tmp_path / "guard").lead()
