"""The main job: the whole service under traffic while its phases walk through their stages and come back."""

from oms.app.rehearsal.main_job import run

__all__ = ["run"]
