"""Read the pages of the dead letters in Django's admin, for their tests."""

import re
import uuid
from datetime import UTC, datetime
from html import unescape
from typing import TYPE_CHECKING

from celery_runtime import DeadLetter
from shop import app

if TYPE_CHECKING:
    from django.test import Client

LIST = "/admin/dead_letters/deadletter/"
REQUEUE, PURGE = f"{LIST}requeue/", f"{LIST}purge/"
TASKS = """
    from pathlib import Path
    from PACKAGE.celery_config import app
    from celery_runtime import PermanentError

    @app.task(bind=True, queue="tasks")
    def charge(self, card, api_token=None):
        notes = Path("NOTES_FILE")
        if not notes.with_name("mended").exists():
            raise PermanentError("<b>no</b> such card")
        with notes.open("a") as file:
            file.write(f"{self.request.id} {self.request.delivery_info['priority']}\\n")
        return card
"""
CHARGE = f"{app.main}.celery_tasks.ex1.charge"


def text_of(browser: "Client", url: str, **form: object) -> str:
    """Return what a page says, where it is a page; a form is posted."""
    response = browser.post(url, form, follow=True) if form else browser.get(url, follow=True)
    assert response.status_code == 200
    html = response.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html.partition("<main")[2])).split())


def entry_url(id: str) -> str:
    return f"{LIST}{id.replace('_', '_5F')}/change/"


def keep(**changed: object) -> str:
    """Keep a dead letter of a failure just now, with some of its fields changed; return its id."""
    now = datetime.now(UTC).isoformat()
    stated = {"task": CHARGE, "kind": "external.auth", "queue": "tasks", "message": "no", "attempts": 1}
    signature = {"task": CHARGE, "args": [], "kwargs": {}, "options": {"queue": "tasks"}}
    moments = {"first_failure": now, "last_failure": now}
    fields = {"id": str(uuid.uuid4()), "signature": signature, **stated, **moments, **changed}
    entry = DeadLetter(**fields)
    app.dead_letters.add(entry)
    return entry.id


def ids_in(browser: "Client", query: str) -> list[str]:
    html = browser.get(f"{LIST}{query}").content.decode()
    return re.findall(r'name="id" value="([^"]*)"', html)
