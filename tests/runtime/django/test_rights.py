"""The rights to see, requeue and purge dead letters in Django's admin."""

import re
import uuid

from django.contrib.auth.models import Permission, User
from django.test import Client

from shop import app

from .pages import LIST, PURGE, REQUEUE, entry_url, keep, text_of


def test_each_permission_opens_its_own_pages(project, client):
    id_ = keep()
    pages = {"view": LIST, "entry": entry_url(id_), "requeue": REQUEUE, "purge": PURGE}

    def opened(*permissions: str) -> set[str]:
        browser = client(*permissions)
        answers = {page: browser.post(url, {"id": id_}) for page, url in pages.items()}
        assert {answer.status_code for answer in answers.values()} <= {200, 403}
        return {page for page, answer in answers.items() if answer.status_code == 200}

    assert opened() == set()
    assert opened("add") == set()
    assert opened("delete") == set()  # who may not see it may not remove it unseen
    assert opened("view") == {"view", "entry"}
    assert opened("view", "delete") == {"view", "entry", "purge"}
    assert opened("view", "change") == {"view", "entry", "requeue"}
    assert app.dead_letters.get(id_) is not None


def test_who_may_not_look_is_sent_away(project, client):
    id_ = keep()
    staff = client()
    assert "Dead letters" not in text_of(staff, "/admin/")
    visitors = (client("view", "change", "delete", is_staff=False), Client())
    for url in (LIST, entry_url(id_), REQUEUE, PURGE):
        assert staff.get(url).status_code == 403
        assert [visitor.get(url).url for visitor in visitors] == [f"/admin/login/?next={url}"] * 2
    for url in (LIST, entry_url(id_)):
        for permissions, buttons in ((["change"], ["Requeue"]), (["delete"], ["Purge"]), ([], [])):
            html = client("view", *permissions).get(url).content.decode()
            assert re.findall("(Requeue|Purge)…", html) == buttons
    boss = Client(enforce_csrf_checks=True)
    boss.force_login(User.objects.create_superuser(str(uuid.uuid4())))
    assert boss.post(PURGE, {"id": id_, "confirmed": ""}).status_code == 403
    assert "deadletter/add" not in boss.get("/admin/").content.decode()
    assert not Permission.objects.filter(codename="add_deadletter").exists()
    assert app.dead_letters.get(id_) is not None
