"""The main job: the whole service under traffic while its phases walk through their stages and come back."""

from oms.app.rehearsal.main_job import run
from oms.app.rehearsal.watch import PROFILE

__all__ = ["PROFILE", "run"]
