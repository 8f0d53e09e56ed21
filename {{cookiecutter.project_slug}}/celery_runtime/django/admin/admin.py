"""Define the views: a list, one entry, and the requeue or purge of the selected ones once it is confirmed."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from celery_runtime.app import project_app
from celery_runtime.dead_letters import StoreError
from celery_runtime.django.admin import display
from celery_runtime.django.admin.listing import Listing
from celery_runtime.django.admin.models import DeadLetter

View = Callable[..., HttpResponse]


@admin.register(DeadLetter)
class DeadLetterAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Let a user look by the permission to view, requeue by that to change, and purge by that to delete."""

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: View, name: str) -> URLPattern:
            guarded = self.admin_site.admin_view(partial(self._guard, view))
            return path(route, guarded, name=f"dead_letters_deadletter_{name}")

        return [
            at("", self.changelist_view, "changelist"),
            at("requeue/", self.requeue_view, "requeue"),
            at("purge/", self.purge_view, "purge"),
            at("<path:object_id>/change/", self.change_view, "change"),
        ]

    def _guard(self, view: View, request: HttpRequest, **arguments: str) -> HttpResponse:
        """Answer by a view, or by a line where the store fails."""
        _require(self.has_view_permission(request))
        try:
            return view(request, **arguments)
        except StoreError as error:
            context = {"cl": {"opts": self.opts}, "problem": display.in_a_line(error)}
            return self._page(request, "unavailable", "Dead letters", context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        listing = Listing(project_app().dead_letters, request.GET.dict())
        acts = self.has_change_permission(request) or self.has_delete_permission(request)
        context = {
            "cl": listing,
            "rows": [display.row(entry, display.query_of(request)) for entry in listing.result_list],
            "package": project_app().main,
            # Django's template then loads the script that selects all.
            "action_form": acts,
            "actions_on_top": acts,
        }
        return self._page(request, "list", "Dead letters", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        id_ = unquote(object_id)
        entry = project_app().dead_letters.get(id_)
        if entry is None:
            messages.warning(request, f"There is no dead letter {id_}: it was requeued or purged.")
            return redirect(_list_url(request))
        shown = project_app().dead_letters.shown(entry)
        context = {
            "original": entry.id,
            "subtitle": shown["task"],
            "entry": shown,
            "facts": display.facts(shown),
            "arguments": display.arguments(shown),
            "message": display.message(shown),
        }
        return self._page(request, "entry", "Dead letter", context)

    def requeue_view(self, request: HttpRequest) -> HttpResponse:
        _require(self.has_change_permission(request))
        return self._confirm_and_act(request, "requeue")

    def purge_view(self, request: HttpRequest) -> HttpResponse:
        _require(self.has_delete_permission(request))
        return self._confirm_and_act(request, "purge")

    def _confirm_and_act(self, request: HttpRequest, action: str) -> HttpResponse:
        ids = list(dict.fromkeys(request.POST.getlist("id")))
        if "confirmed" in request.POST and ids:
            _act(request, action, ids)
            return redirect(_list_url(request))
        entries = project_app().dead_letters.find(*ids) if ids else []
        if not entries:
            if request.method == "POST":
                messages.warning(request, "Select a dead letter that is there.")
            return redirect(_list_url(request))
        most = int(project_app().conf.dead_letter_most_requeues)
        context = {
            "original": action.capitalize(),
            "action": action,
            "rows": [display.row(entry, display.query_of(request)) for entry in entries],
            "most_requeues": most,
            "too_often": sum(entry.requeues >= most for entry in entries) if action == "requeue" else 0,
        }
        title = f"{action.capitalize()} {display.dead_letters(len(entries))}?"
        return self._page(request, "confirm", title, context)

    def _page(self, request: HttpRequest, name: str, title: str, context: dict[str, Any]) -> HttpResponse:
        common = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.opts,
            "media": self.media,
            "has_view_permission": True,
            "may_requeue": self.has_change_permission(request),
            "may_purge": self.has_delete_permission(request),
            "list_url": _list_url(request),
            "query": display.query_of(request),
        }
        return TemplateResponse(request, f"admin/dead_letters/{name}.html", {**common, **context})


def _require(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied


def _list_url(request: HttpRequest) -> str:
    return reverse("admin:dead_letters_deadletter_changelist") + display.query_of(request)


def _act(request: HttpRequest, action: str, ids: Sequence[str]) -> None:
    """Requeue or purge, and report by messages what became of each."""
    refused: dict[str, str] = {}
    try:
        if action == "requeue":
            requeued = project_app().dead_letters.requeue(*ids, force="force" in request.POST)
            done, refused = requeued.ids, requeued.refused
        else:
            done = project_app().dead_letters.purge(*ids)
    except StoreError as error:
        if error.done:
            messages.warning(request, f"The store failed after {error.done} of {len(ids)}.")
        raise
    if done:
        flag, past = (CHANGE, "requeued") if action == "requeue" else (DELETION, "purged")
        user: Any = request.user
        entries: Any = [DeadLetter(id=id_) for id_ in done]  # a list will do
        LogEntry.objects.log_actions(user.pk, entries, flag, past.capitalize())
        messages.success(request, f"{_which(done, 'was', 'were')} {past}.")
    for reason in dict.fromkeys(refused.values()):
        kept = [id_ for id_, why in refused.items() if why == reason]
        messages.warning(request, f"{_which(kept, 'stays', 'stay')} ({', '.join(kept)}): {reason}.")
    if gone := [id_ for id_ in ids if id_ not in done and id_ not in refused]:
        messages.warning(request, f"{_which(gone, 'was', 'were')} gone before ({', '.join(gone)}).")


def _which(ids: Sequence[str], one: str, several: str) -> str:
    return f"{display.dead_letters(len(ids))} {one if len(ids) == 1 else several}"
