"""A schedule of your own, for what neither an interval nor a crontab can say: here, only while the office is open.

Copy the class to `schedule.py`, which every process reads, and there say `"schedule": OfficeHours(every=60)`. The
traps: `is_due` is asked again and again and must be quick; it returns the seconds until it wants to be asked
next, also when it is not due; and beat keeps a schedule by pickle, so hold in it only what can be pickled.
"""

from datetime import datetime, timedelta

from celery.schedules import BaseSchedule, schedstate

from ..celery_config import app


class OfficeHours(BaseSchedule):
    """Due every so many seconds, from Monday to Friday between two full hours, in the time zone of the app."""

    def __init__(self, every: float, first: int = 9, last: int = 17, **options) -> None:
        super().__init__(**options)
        self.every, self.first, self.last = every, first, last

    def __reduce__(self):
        return self.__class__, (self.every, self.first, self.last)

    def __eq__(self, other: object) -> bool:
        # Beat compares, to see whether an entry was changed.
        return isinstance(other, OfficeHours) and self.__reduce__() == other.__reduce__()

    def is_open(self, moment: datetime) -> bool:
        return moment.weekday() < 5 and self.first <= moment.hour < self.last

    def is_due(self, last_run_at: datetime) -> schedstate:
        now = self.now()
        wait = (last_run_at + timedelta(seconds=self.every) - now).total_seconds()
        if wait > 0:
            return schedstate(False, wait)
        return schedstate(True, self.every) if self.is_open(now) else schedstate(False, 60)

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        return timedelta(seconds=self.is_due(last_run_at).next)


@app.task(queue="tasks")
def ring_bell() -> str:
    return "ding"


def run_tasks() -> None:
    """Ask the schedule at four moments, then ring as beat would. A worker must be running. Prints:

    Monday 8:59: closed
    Monday 9:00: open
    Friday 16:59: open
    Saturday 12:00: closed
    ding
    """
    hours = OfficeHours(every=60)
    for day, hour, minute in ((4, 8, 59), (4, 9, 0), (8, 16, 59), (9, 12, 0)):
        moment = datetime(2027, 1, day, hour, minute)
        print(f"{moment:%A} {hour}:{minute:02}:", "open" if hours.is_open(moment) else "closed")
    print(ring_bell.delay().get(timeout=30))
