"""The page of the dead letters in Django's admin, in a browser."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright

from scripts.baking import BakedProject, clean_environment

from .availability import unavailable
from .workers import running_worker

pytestmark = pytest.mark.baked

TASK = """
from pathlib import Path
from ..celery_config import app
from celery_runtime import PermanentError

NOTES = Path(__file__).with_name("notes")

@app.task(queue="tasks")
def charge(card):
    if not NOTES.exists():
        raise PermanentError("<b>no</b> such card")
    NOTES.write_text(card)
"""
PREPARE = """
from django.contrib.auth.models import User
User.objects.create_superuser("boss", password="boss")
User.objects.create_user("clerk", password="clerk", is_staff=True)
from shop import app
app.send_task("shop.celery_tasks.ex50_charge.charge", ["4711"], priority=7)
"""
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        unavailable("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[Page, str], None]:
    """Keeps a picture of a page, in the folder that SCREENSHOTS names where it does."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def save(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    return save


@contextmanager
def running_site(project: BakedProject, log: Path, **environment: str) -> Iterator[str]:
    """Run Django's development server on a free port; lend its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    command = [str(project.python), "manage.py", "runserver", "--noreload", f"127.0.0.1:{address[1]}"]
    env = clean_environment(**environment)
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=project.path, env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 30
        while not answers(address):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{address[1]}"
    finally:
        server.kill()
        server.wait()


def answers(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


def logged_in(browser: Browser, url: str, user: str, errors: list[str], **options: str) -> Page:
    """Log in by the form. A script that fails and a file that is missing are added to `errors`."""

    def note(answer: Response) -> None:
        if answer.status >= 400 and not answer.url.endswith("/favicon.ico"):
            errors.append(f"{answer.url}: {answer.status}")

    page = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, **options).new_page()
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", note)
    page.goto("/admin/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(user)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Site administration")).to_be_visible()
    return page


def test_a_dead_letter_is_found_and_requeued(browser, bake_own, redis_url, shoot, tmp_path):
    project = bake_own(framework="django")
    (project.tasks / "ex50_charge.py").write_text(TASK)
    notes = project.tasks / "notes"
    environment = {"CELERY_BROKER_URL": redis_url}
    errors: list[str] = []
    with (
        running_worker(project, tmp_path / "worker.log", **environment) as worker,
        running_site(project, tmp_path / "site.log", **environment) as url,
    ):
        project.run(project.python, "manage.py", "migrate", check=True, **environment)
        project.run(project.python, "manage.py", "shell", "-c", PREPARE, check=True, **environment)
        worker.wait_for(lambda: "stored as a dead letter" in worker.output())
        page = logged_in(browser, url, "boss", errors)
        shoot(page, "index")
        page.locator("#content").get_by_role("link", name="Dead letters").click()
        expect(page.get_by_role("row", name="ex50_charge.charge")).to_contain_text("<b>no</b> such card")
        page.get_by_label("Select all dead letters on this page").check()
        expect(page.get_by_text("1 of 1 selected")).to_be_visible()
        shoot(page, "list")
        dark = logged_in(browser, url, "boss", errors, color_scheme="dark")
        dark.goto(page.url)
        shoot(dark, "list-dark")

        page.get_by_role("link", name="ex50_charge.charge").click()
        expect(page.get_by_text("Traceback (most recent call last)")).to_be_visible()
        shoot(page, "entry")
        dark.goto(page.url)
        shoot(dark, "entry-dark")

        page.get_by_role("button", name="Requeue…").click()
        expect(page.get_by_role("heading", name="Requeue 1 dead letter?")).to_be_visible()
        shoot(page, "confirmation")
        notes.touch()
        page.get_by_role("button", name="Requeue", exact=True).press("Enter")
        expect(page.get_by_text("1 dead letter was requeued.")).to_be_visible()
        expect(page.get_by_text("There is no dead letter.")).to_be_visible()
        shoot(page, "empty")
        worker.wait_for(lambda: notes.read_text() == "4711")

        clerk = logged_in(browser, url, "clerk", [])
        expect(clerk.get_by_role("link", name="Dead letters")).to_have_count(0)
        assert clerk.goto(page.url).status == 403
        shoot(clerk, "forbidden")

    with running_site(project, tmp_path / "away.log", CELERY_BROKER_URL="redis://127.0.0.1:1/0") as url:
        page = logged_in(browser, url, "boss", errors)
        page.locator("#content").get_by_role("link", name="Dead letters").click()
        expect(page.get_by_text("Connection refused")).to_be_visible()
        shoot(page, "unavailable")
    assert errors == []
