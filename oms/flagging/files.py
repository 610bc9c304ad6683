"""One folder of flag files: ``<phase>.flagd.json``, read with care and replaced in one step."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from oms.domain.errors import CouldNot, FlipRefused
from oms.domain.phase import Phase
from oms.domain.split import Split
from oms.domain.stage import stages_of
from oms.flagging.compilation import decision_of
from oms.flagging.decision import FlagDecision
from oms.flagging.definition import Place, digest_of
from oms.flagging.validation import parse

_log = logging.getLogger("oms.flagging")

SUFFIX = ".flagd.json"
MAX_BYTES = 1 << 20
"""No flag of a phase comes near this; what does is not one."""

Signature = tuple[int, int, int, int, int]
"""Device, inode, modification time, size, change time: a file with another one may have other content."""

_IN_PLACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EBUSY})
"""Why a file cannot be replaced in its folder although it may well be written over: a full disk, a folder or a mount that is not ours."""


@dataclass(frozen=True, slots=True)
class FlagState:
    """What the flag file of one phase says.

    Attributes:
        raw: The file's content.
        digest: Names that content.
        split: The weights, if the flag is static or a plain split; else None.
        decision: What is served for it.
    """

    phase: str
    raw: bytes
    digest: str
    split: Split | None
    decision: FlagDecision


class FlagFiles:
    """Reads and writes the flag files of a folder.

    Args:
        phases: Every phase by name.
        report: Told of what went wrong without stopping a write: a failed fsync, a file written over in place.
    """

    def __init__(
        self,
        folder: Path,
        phases: Mapping[str, Phase],
        *,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        self.folder = folder
        self.phases = phases
        self._report = report
        # As text: these are asked every few milliseconds, and joining paths costs more than asking.
        self._paths = {name: str(self.path(name)) for name in phases}

    def path(self, phase: str) -> Path:
        """Return where the flag of *phase* stands."""
        return self.folder / f"{phase}{SUFFIX}"

    def signature(self, phase: str) -> Signature | None:
        """Return the signature of the file, links followed; None if there is none to be had."""
        try:
            found = os.stat(self._paths[phase])  # noqa: PTH116 - a Path costs more than the call
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, found.st_ctime_ns

    def read(self, phase: str) -> FlagState:
        """Return what the flag of *phase* says.

        Raises:
            FlagFileInvalid: if it must not be served.
            CouldNot: if it cannot be read.
        """
        return self.state_of(phase, self.read_raw(phase))

    def state_of(self, phase: str, content: bytes) -> FlagState:
        """Return what *content* would say as the file of *phase*.

        Raises:
            FlagFileInvalid: if it must not be served.
        """
        decision = decision_of(parse(content, file=str(self.path(phase)), phase=self.phases[phase]))
        return FlagState(phase, content, decision.digest, decision.split, decision)

    def read_raw(self, phase: str) -> bytes:
        """Return the content of the file of *phase*.

        Raises:
            FlagFileInvalid: if it is larger than a flag file can be.
            CouldNot: if it cannot be read.
        """
        path = self.path(phase)
        try:
            content = _read(path)
        except OSError as error:
            found = "no file" if isinstance(error, FileNotFoundError) else error.strerror or error
            raise CouldNot(
                f"{path}: found {found}, wanted a flag file; put it back, or write one with oms rollback {phase}"
            ) from error
        if len(content) > MAX_BYTES:
            raise Place(str(path)).invalid(
                found=f"more than {MAX_BYTES} bytes",
                wanted="a flag file",
                mend=f"write a good one with oms rollback {phase}",
            )
        return content

    def write(self, phase: str, split: Split, *, based_on: str | None) -> str:
        """Replace the flag of *phase* by *split* in one step, in oms's own form, and return the new digest.

        A failed fsync is reported and does not stop it: processes see the new file all the same. Where the folder takes no new file
        (a full disk, a mounted file) the old one is written over in place, which a reader may see half done and then reads again.

        Args:
            based_on: Digest of the content that the decision was based on; None asks for no check.

        Raises:
            FlipRefused: if the file no longer has the digest *based_on*.
            CouldNot: if it cannot be written; the flag is then as it was.
        """
        self._check_unmoved(phase, based_on)
        return self.save(phase, self.render(phase, split))

    def save(self, phase: str, content: bytes) -> str:
        """Replace the file of *phase* by *content* in one step and return its digest.

        Raises:
            CouldNot: if it cannot be written; the file is then as it was.
        """
        target = self.path(phase)
        try:
            target = target.resolve() if target.exists() else target
            self._replace(target, content)
        except OSError as error:
            if error.errno not in _IN_PLACE or not target.is_file():
                raise _not_written(target, error) from error
            self._write_over(target, content, error)
        return digest_of(content)

    def render(self, phase: str, split: Split) -> bytes:
        """Return the file that says *split*: everybody at one stage, or a split on the targeting key with the most advanced stage first.

        The default variant is the least advanced stage, so that growing a share takes nobody back: not even callers without a key.
        """
        stages = [stage.value for stage in stages_of(writes=self.phases[phase].writes)]
        variants = ",\n".join(f'        "{stage}": "{stage}"' for stage in stages)
        shares = ", ".join(f'["{stage.value}", {weight}]' for stage, weight in split.weights)
        targeting = "" if split.is_whole else f',\n      "targeting": {{"fractional": [{shares}]}}'
        return (
            "{\n"
            '  "$schema": "https://flagd.dev/schema/v0/flags.json",\n'
            '  "flags": {\n'
            f'    "{self.phases[phase].flag}": {{\n'
            '      "state": "ENABLED",\n'
            f'      "variants": {{\n{variants}\n      }},\n'
            f'      "defaultVariant": "{split.least_advanced.value}"{targeting}\n'
            "    }\n  }\n}\n"
        ).encode()

    def _check_unmoved(self, phase: str, based_on: str | None) -> None:
        if based_on is None:
            return
        found = digest_of(self.read_raw(phase))
        if found != based_on:
            raise FlipRefused(
                f"{self.path(phase)}: the flag has moved since you looked: found {found}, wanted {based_on}; look again"
            )

    def _replace(self, target: Path, content: bytes) -> None:
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                if target.exists():
                    os.fchmod(handle, stat.S_IMODE(target.stat().st_mode))
                file.write(content)
                file.flush()
                self._sync(handle, target)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_folder(target.parent)

    def _write_over(self, target: Path, content: bytes, reason: OSError) -> None:
        try:
            before = _read(target)
            with target.open("r+b", buffering=0) as file:
                try:
                    _fill(file, content)
                except OSError:
                    _fill(file, before)
                    raise
                self._sync(file.fileno(), target)
        except OSError as error:
            raise _not_written(target, error) from error
        self._report(
            f"{target}: written over in place, since its folder takes no new file: {reason.strerror or reason}"
        )

    def _sync_folder(self, folder: Path) -> None:
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            self._report(f"{folder}: written, but not known to be on disk: {error.strerror or error}")
            return
        try:
            self._sync(handle, folder)
        finally:
            os.close(handle)

    def _sync(self, handle: int, target: Path) -> None:
        try:
            os.fsync(handle)
        except OSError as error:
            self._report(f"{target}: written, but not known to be on disk: {error.strerror or error}")


def _read(path: Path) -> bytes:
    # Not blocking: a pipe in the place of a flag file must not stop the one thread that watches them all.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "something that is no regular file")
        return file.read(MAX_BYTES + 1)


def _fill(file: FileIO, content: bytes) -> None:
    file.seek(0)
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
    file.truncate()


def _not_written(target: Path, error: OSError) -> CouldNot:
    return CouldNot(f"{target}: not written: {error.strerror or error}; see to the folder and the disk, then try again")
