"""Where comparisons, divergences and flips are kept, and how processes show where they stand."""

from oms.journal.entries import Window
from oms.journal.flips import append_flip
from oms.journal.journal import Journal
from oms.journal.limits import JournalLimits
from oms.journal.process_file import ProcessFile
from oms.journal.reader import JournalReader
from oms.journal.run_folder import read_processes
from oms.journal.telemetry import observe

__all__ = [
    "Journal",
    "JournalLimits",
    "JournalReader",
    "ProcessFile",
    "Window",
    "append_flip",
    "observe",
    "read_processes",
]
