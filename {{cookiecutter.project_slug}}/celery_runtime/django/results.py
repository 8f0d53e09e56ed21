"""Keep results in Django's database, and have chords looked after as with any other database.

Runs in: publisher | task process | worker main process. The backend of django-celery-results counts the tasks of a
header that have ended. A group in a header, which has an id of its own, is not counted: the body would never run, and
nobody would be told. Source: django_celery_results/backends/database.py, 2.6.
"""

from typing import Any

from celery.backends.base import BaseDictBackend
from django_celery_results.backends import database
from django_celery_results.models import ChordCounter


class DatabaseBackend(database.DatabaseBackend):
    """Has `celery.chord_unlock` look for the results of a header."""

    apply_chord = BaseDictBackend.apply_chord

    def _get_extended_properties(self, request: Any, traceback: Any) -> dict[str, Any]:
        """Say of which task a result is. `result_extended` adds its arguments, which nothing masks there."""
        names = {"task_name": "task", "periodic_task_name": "periodic_task_name", "worker": "hostname"}
        told = {column: getattr(request, name, None) for column, name in names.items()}
        return {**super()._get_extended_properties(request, traceback), **told}

    def on_chord_part_return(self, request: Any, state: str, result: Any, **options: Any) -> None:
        """Count down a chord that was published before this backend was in use."""
        if request.group and ChordCounter.objects.filter(group_id=request.group).exists():
            super().on_chord_part_return(request, state, result, **options)
