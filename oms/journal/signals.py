"""Writing beyond a process's file size limit must be an error, not the end of the process."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def without_file_size_signal() -> Iterator[None]:
    """Hold SIGXFSZ back from the calling thread, and swallow it if it came; the write fails with EFBIG all the same.

    Python ignores that signal at start, but the program around us may have put its default back, which kills.
    """
    too_large = {signal.SIGXFSZ}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, too_large)
    try:
        yield
    finally:
        if signal.SIGXFSZ not in before:
            signal.sigtimedwait(too_large, 0)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, too_large)
