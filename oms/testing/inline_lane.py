"""A lane without a thread, for simulations that must come out the same each time."""

from __future__ import annotations

import math

from oms.routing.job import Job
from oms.routing.lane import SyncLane


class InlineLane(SyncLane):
    """Runs and compares the side beside in the caller's thread, before the caller has its answer. Never in service."""

    def put(self, job: Job) -> None:
        """Run *job* now, however long this machine really takes: no deadline of it may show in what comes out."""
        job.enqueued_s = math.inf
        self._run(job)
