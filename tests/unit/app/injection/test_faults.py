"""Reading FAULT."""

from __future__ import annotations

import pytest

from oms.app.injection import Faults, parse_faults
from oms.domain.errors import BadInput

WORDS = "unified-errors=3% slow=2x tail=12x wrong-value=1% hang none"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Faults()),
        ("hang", Faults(hang=True)),
        ("unified-errors=3%", Faults(errors=0.03)),
        ("wrong-value=0.5%", Faults(wrong=0.005)),
        ("slow=2x", Faults(slow=2.0)),
        ("tail=12x,unified-errors=100%", Faults(tail=12.0, errors=1.0)),
    ],
)
def test_good_words(text: str, expected: Faults) -> None:
    """Each word of the list is read, alone or with others, and told as it was written."""
    assert expected == parse_faults(text)
    assert set(text.split(",")) == set(str(expected).split(","))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sloow=2x", f"FAULT: found 'sloow=2x', wanted one of {WORDS}; did you mean slow=2x?"),
        ("", f"FAULT: found '', wanted one of {WORDS}"),
        ("errors=3%", "did you mean unified-errors=3%?"),
        ("slow=2", "FAULT: found 'slow=2', wanted a factor above 1x and at most 100x, as in slow=2x"),
        ("slow=1x", "above 1x"),
        ("tail=1000x", "at most 100x, as in tail=12x"),
        ("slow", "found 'slow', wanted a factor"),
        ("unified-errors=3", "FAULT: found 'unified-errors=3', wanted a share above 0% and at most 100%, as in unified-errors=3%"),
        ("wrong-value=0%", "as in wrong-value=1%"),
        ("unified-errors=101%", "at most 100%"),
        ("hang=2", "FAULT: found 'hang=2', wanted hang without a number"),
        ("slow=2x,slow=3x", "wanted each fault once, none alone"),
        ("none,hang", "wanted each fault once, none alone"),
        ("hang,", "FAULT: found ''"),
    ],
)  # fmt: skip
def test_bad_words(text: str, told: str) -> None:
    """One line: what was found, what was wanted, and the nearest good word."""
    with pytest.raises(BadInput) as caught:
        parse_faults(text)

    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
