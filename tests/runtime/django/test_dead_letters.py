"""The page of the dead letters in Django's admin, with a real worker."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

from django.contrib.admin.models import LogEntry

from celery_runtime import dead_letters
from celery_runtime.brokers import urls
from celery_runtime.dead_letters.build import REQUEUES_HEADER
from shop import app

from ..lending import use_broker
from .pages import CHARGE, LIST, PURGE, REQUEUE, entry_url, ids_in, keep, text_of


def test_it_is_seen_and_requeued_once_its_task_is_mended(broken, project, running, client):
    id_ = broken(priority=7)
    browser = client("view", "change", "delete")
    assert "Dead letters" in text_of(browser, "/admin/")
    listed = text_of(browser, LIST)
    for told in ("ex1.charge", id_, "application.permanent", "<b>no</b> such card", "1 dead letter"):
        assert told in listed
    entry = text_of(browser, entry_url(id_))
    for told in (
        CHARGE,
        'card: "4711"',
        "Priority: 7",
        "PermanentError",
        "Traceback (most recent call last)",
    ):
        assert told in entry
    assert "Requeue 1 dead letter?" in text_of(browser, REQUEUE, id=id_)
    assert app.dead_letters.get(id_) is not None  # only confirmed it is done

    project.notes_file.with_name("mended").touch()
    told = text_of(browser, REQUEUE, id=id_, confirmed="")
    assert "1 dead letter was requeued." in told and "There is no dead letter." in told
    running[1].wait_for(lambda: project.notes() == [f"{id_} 7"])
    assert app.AsyncResult(id_).get(timeout=30) == "4711"
    assert "was requeued or purged" in text_of(browser, entry_url(id_))


def test_those_that_are_selected_are_purged_and_it_is_logged_by_whom(project, client):
    first, second, third = keep(), keep(), keep()
    browser = client("view", "delete")
    assert "Purge 2 dead letters?" in text_of(browser, PURGE, id=[first, second])
    assert app.dead_letters.count().total() == 3
    told = text_of(browser, PURGE, id=[first, second, "gone"], confirmed="")
    assert "2 dead letters were purged." in told and "1 dead letter was gone before (gone)." in told
    assert [entry.id for entry in app.dead_letters.find()] == [third]
    logged = LogEntry.objects.filter(user_id=browser.session["_auth_user_id"])
    assert {(one.object_id, one.is_deletion()) for one in logged} == {(first, True), (second, True)}


def test_what_has_come_back_too_often_stays_unless_forced(broken, project, client):
    once_more, too_often = broken(), broken(headers={REQUEUES_HEADER: app.conf.dead_letter_most_requeues})
    browser = client("view", "change")
    assert "Also the" not in text_of(browser, REQUEUE, id=once_more)
    assert "Also the 1 that came back" in text_of(browser, REQUEUE, id=[once_more, too_often])
    project.notes_file.with_name("mended").touch()
    told = text_of(browser, REQUEUE, id=[once_more, too_often], confirmed="")
    assert "1 dead letter was requeued." in told
    assert f"1 dead letter stays ({too_often}): it was requeued" in told
    assert "1 dead letter was requeued." in text_of(browser, REQUEUE, id=too_often, confirmed="", force="on")
    assert app.AsyncResult(too_often).get(timeout=30) == "4711"


def test_filters(project, client):
    def ago(**span: float) -> str:
        return (datetime.now(UTC) - timedelta(**span)).isoformat()

    week_old = keep(kind="network.dns", last_failure=ago(days=8))
    day_old = keep(kind="network.refused", last_failure=ago(days=2), task="shop.other")
    fresh = keep(id="with_underscore/and slash")
    browser = client("view", "change")
    for query, expected in {
        "": [fresh, day_old, week_old],
        "?kind=network": [day_old, week_old],
        "?kind=network.dns": [week_old],
        "?age=1d": [day_old, week_old],
        "?age=7d": [week_old],
        "?age=nonsense&p=99": [fresh, day_old, week_old],
        "?q=ex1.charge": [fresh, week_old],
        "?q=*.oth*": [day_old],
        f"?q={day_old}": [day_old],
        f"?q={day_old}&kind=external": [],
        "?q=ex1.charge&kind=network&age=7d": [week_old],
    }.items():
        assert ids_in(browser, query) == expected, query
    kinds = text_of(browser, LIST)
    for told in ("network (2)", "network.dns (1)", "external.auth (1)", "3 dead letters"):
        assert told in kinds
    assert "network.refused" not in text_of(browser, f"{LIST}?q=ex1.charge&kind=external")
    assert "No dead letter fits." in text_of(browser, f"{LIST}?q=nothing")
    [url] = re.findall(f'href="({LIST}[^"]*change/[^"]*)"', browser.get(f"{LIST}?kind=external").content.decode())
    assert "?kind=external" in url and "with_underscore/and slash" in text_of(browser, url)


def test_pages(project, client):
    start = datetime.now(UTC) - timedelta(minutes=5)
    kept = [keep(last_failure=(start + timedelta(seconds=number)).isoformat()) for number in range(52)]
    browser = client("view", "delete")
    assert ids_in(browser, "") == kept[:1:-1]
    assert ids_in(browser, "?p=2") == kept[1::-1]
    assert "52 dead letters" in text_of(browser, f"{LIST}?p=2")


def test_secrets_are_masked_and_markup_is_escaped(project, client):
    markup = "<script>alert(1)</script>"
    texts = ("id", "task", "kind", "message", "code", "origin", "traceback", "worker", "queue")
    raw = {"body": f'"api_token": "s3cret" {markup}', "headers": {}, "base64": False}
    signature = {
        "task": "t",
        "args": ["s3cret", markup],
        "kwargs": {markup: 1},
        "options": {"link": [markup]},
    }
    parameters = ["password", markup]
    kept = [
        keep(**{name: f"{name}{markup}" for name in texts}, signature=None, raw=raw),
        keep(**{name: f"{name}{markup}" for name in texts[1:]}, signature=signature, parameters=parameters),
    ]
    browser = client("view", "change", "delete")
    pages = [
        browser.get(LIST),
        browser.get(f"{LIST}?q={markup}&kind={markup}"),
        browser.post(PURGE, {"id": kept}),
    ]
    pages += [browser.get(url) for url in re.findall(rf"{LIST}[^\"]+/change/", pages[0].content.decode())]
    pages.append(browser.post(PURGE, {"id": [*kept, markup], "confirmed": ""}, follow=True))
    assert [page.status_code for page in pages] == [200] * 6
    for page in pages:
        html = page.content.decode()
        assert markup in unescape(html) and markup not in html
        assert "s3cret" not in html


def test_a_store_that_is_away_is_told_in_a_line(client, monkeypatch):
    use_broker("redis://127.0.0.1:1/0", monkeypatch)
    browser = client("view", "change", "delete")
    for url, form in (
        (LIST, {}),
        (entry_url("a"), {}),
        (PURGE, {"id": "a"}),
        (REQUEUE, {"id": "a", "confirmed": ""}),
    ):
        assert "Connection refused" in text_of(browser, url, **form), url


def test_a_store_that_another_reads_is_told_in_a_line(project, client):
    keep()
    browser = client("view", "change")
    one_at_a_time = urls.is_rabbitmq(project.environment["CELERY_BROKER_URL"])
    with app.dead_letters.store.open() as reading:
        next(reading.find(dead_letters.DeadLetterFilter()))
        told = "being read by another" if one_at_a_time else "1 dead letter"
        assert told in text_of(browser, LIST)
    assert "1 dead letter" in text_of(browser, LIST)
