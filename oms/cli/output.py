"""What goes where: results to stdout, progress and warnings to stderr; with ``--json`` one object and nothing else on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TextIO


class Output:
    """The two streams of one command."""

    def __init__(self, *, as_json: bool, stdout: TextIO, stderr: TextIO) -> None:
        self.as_json, self.stdout, self.stderr = as_json, stdout, stderr

    def line(self, text: str) -> None:
        """Tell people something: on stdout, or on stderr where stdout belongs to the JSON object."""
        stream = self.stderr if self.as_json else self.stdout
        stream.write(f"{one_line(text)}\n")

    def warn(self, text: str) -> None:
        """Tell people something that went wrong without stopping the command."""
        self.stderr.write(f"warning: {one_line(text)}\n")

    def result(self, found: Mapping[str, object]) -> None:
        """Print the JSON object, if that is what was asked for."""
        if self.as_json:
            self.stdout.write(json.dumps(found) + "\n")

    def error(self, text: str) -> None:
        """Say why the command failed, on one line; as JSON on stdout if that is what was asked for."""
        if self.as_json:
            self.result({"schema": 1, "error": one_line(text)})
        else:
            said = one_line(text)
            self.stderr.write(f"{said}\n" if said.startswith(("oms: ", "oms ")) else f"oms: {said}\n")


def one_line(text: str) -> str:
    """Return *text* with every run of white space as one blank."""
    return " ".join(text.split())
