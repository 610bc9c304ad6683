"""A call on one line, or with each argument on a line of its own where one would be too long."""

from __future__ import annotations

import ast

WIDTH = 100


def laid_out(text: str, *, column: int, rest: int, indent: str, line_end: str) -> str:
    """Return the expression *text* as it is, or broken.

    Args:
        column: How many columns stand before it on its line.
        rest: How many stand after it.
        indent: White space that its line begins with.
    """
    call = ast.parse(text, mode="eval").body
    if column + len(text) + rest <= WIDTH or not isinstance(call, ast.Call):
        return text
    parts = [*call.args, *call.keywords]
    lines = [f"{indent}    {ast.get_source_segment(text, part)}," for part in parts]
    opening = (ast.get_source_segment(text, call.func) or "") + "("
    return line_end.join([opening, *lines, f"{indent})"])
