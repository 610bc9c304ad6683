"""Reading where all processes stand, from the files they keep in the run folder.

Layout of a file: an 8-byte magic, then two slots of equal size, written in turn. A slot is a header and a text, JSON. A reader takes the
newest slot whose two sequence numbers agree and whose sum is right, so a process stopped in the middle of a beat still shows the one before.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import struct
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from oms.domain.standing import PhaseStanding, ProcessStanding
from oms.journal.identity import is_alive

_log = logging.getLogger(__name__)

MAGIC = b"omsproc1"

HEADER = struct.Struct("<QIIQ")
"""Sequence number, length and CRC-32 of the text, sequence number again."""

_TRIES = 5
_STALE_S = 3600.0
_ELSEWHERE_BEAT_S = 10.0
_FIELDS = {field.name for field in fields(PhaseStanding)}


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What the run folder says.

    Attributes:
        processes: By pid. A live process whose file cannot be read is here without phases, so that it acknowledges nothing.
        problems: One line for each file that is not what it should be.
    """

    processes: list[ProcessStanding]
    problems: list[str]


def read_processes(run_dir: Path) -> list[ProcessStanding]:
    """Return where each process with a file in *run_dir* stands, dead ones included; what cannot be read is in the log, at INFO."""
    folder = read_run_folder(run_dir)
    for problem in folder.problems:
        _log.info("%s", problem)
    return folder.processes


def read_run_folder(run_dir: Path) -> RunFolder:
    """Return every process and every problem; a folder that is not there has neither."""
    processes: list[ProcessStanding] = []
    problems: list[str] = []
    for path in _files(run_dir):
        process = _read_process(path, problems)
        if process is not None:
            processes.append(process)
    return RunFolder(sorted(processes, key=lambda process: (process.pid, process.started)), problems)


def remove_stale(run_dir: Path, *, older_than_s: float = _STALE_S) -> None:
    """Remove the files of processes that are gone and have not beaten for *older_than_s* seconds."""
    for path in _files(run_dir):
        with contextlib.suppress(OSError):
            name = _named(path)
            is_gone = name is None or not is_alive(*name)
            if is_gone and time.time() - path.stat().st_mtime > older_than_s and not _is_from_elsewhere(path):
                path.unlink()


def _files(run_dir: Path) -> list[Path]:
    try:
        return sorted(path for path in run_dir.iterdir() if path.suffix != ".new" and path.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _named(path: Path) -> tuple[int, int] | None:
    pid, dash, started = path.name.partition("-")
    return (
        (int(pid), int(started))
        if dash and pid.isascii() and pid.isdigit() and started.isascii() and started.isdigit()
        else None
    )


def _is_from_elsewhere(path: Path) -> bool:
    beat = _read_beat(path)
    return beat is not None and beat["host"] != socket.gethostname()


def _read_process(path: Path, problems: list[str]) -> ProcessStanding | None:
    name = _named(path)
    if name is None:
        problems.append(f"{path}: found another file, wanted <pid>-<start>; it is left out")
        return None
    try:
        modified_at, beat = path.stat().st_mtime, _read_beat(path)
    except FileNotFoundError:
        return None  # it ended cleanly while we looked
    except OSError as error:
        modified_at, beat = 0.0, None
        problems.append(f"{path}: {error.strerror}, wanted a process file that can be read")
    with contextlib.suppress(TypeError, ValueError, AttributeError):  # a whole beat of another version
        if beat is not None:
            return _standing(name, beat)
    return _unreadable(path, name, modified_at, problems)


def _unreadable(path: Path, name: tuple[int, int], modified_at: float, problems: list[str]) -> ProcessStanding | None:
    alive = is_alive(*name)
    problems.append(
        f"{path}: found no whole beat, wanted one; pid {name[0]} "
        + ("is alive and counts as silent" if alive else "is gone and is left out")
    )
    return ProcessStanding(name[0], name[1], socket.gethostname(), modified_at, alive=True) if alive else None


def _standing(name: tuple[int, int], beat: Mapping[str, Any]) -> ProcessStanding:
    host, beat_at = str(beat["host"]), float(beat["beat_at"])
    # Pids of another host say nothing here: its process is taken for alive while it beats.
    alive = is_alive(*name) if host == socket.gethostname() else time.time() - beat_at < _ELSEWHERE_BEAT_S
    phases = {
        name: PhaseStanding(**{key: standing[key] for key in standing.keys() & _FIELDS})
        for name, standing in beat["phases"].items()
    }
    return ProcessStanding(name[0], name[1], host, beat_at, alive, phases)


def _read_beat(path: Path) -> Mapping[str, Any] | None:
    """Return the newest whole beat; a few tries, since two beats may be written while the file is read once."""
    for _ in range(_TRIES):
        beat = _newest_beat(path.read_bytes())
        if beat is not None:
            return beat
    return None


def _newest_beat(content: bytes) -> Mapping[str, Any] | None:
    if not content.startswith(MAGIC):
        return None
    slot_bytes = (len(content) - len(MAGIC)) // 2
    slots = [content[len(MAGIC) + place * slot_bytes :][:slot_bytes] for place in (0, 1)]
    whole = [slot for slot in map(_whole, slots) if slot is not None]
    return max(whole, key=lambda slot: slot[0])[1] if whole else None


def _whole(slot: bytes) -> tuple[int, Mapping[str, Any]] | None:
    """Return the sequence number and the beat in *slot*, None if it is empty or torn."""
    if len(slot) < HEADER.size:
        return None
    before, length, checksum, after = HEADER.unpack_from(slot)
    text = slot[HEADER.size : HEADER.size + length]
    if not before or before != after or len(text) != length or zlib.crc32(text) != checksum:
        return None
    try:
        beat = json.loads(text)
        for name in ("host", "beat_at", "phases"):
            beat[name]
    except (ValueError, KeyError, TypeError):
        return None
    return before, beat
