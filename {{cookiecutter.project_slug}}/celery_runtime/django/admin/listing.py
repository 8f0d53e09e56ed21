"""Read one page of the list. Its filters are the query of its URL."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.paginator import Paginator

from celery_runtime.dead_letters import DeadLetter, DeadLetters
from celery_runtime.django.admin.models import DeadLetter as Model
from celery_runtime.kinds import is_kind_of

PARAMETERS = (SEARCH_VAR, "kind", "age", PAGE_VAR)
PAGE = 50
# A page costs the reading of all pages before it.
MOST_LISTED = 20 * PAGE
HOUR = 60 * 60.0
AGES = {
    "1h": ("More than an hour ago", HOUR),
    "1d": ("More than a day ago", 24 * HOUR),
    "7d": ("More than a week ago", 7 * 24 * HOUR),
}


@dataclass(frozen=True)
class Filter:
    """Show links beside the list, each of which gives a value to one parameter of its query."""

    title: str
    parameter: str
    labels: dict[str, str]
    template = "admin/filter.html"

    def choices(self, listing: "Listing") -> Iterator[dict[str, Any]]:
        for value, label in {"": "All", **self.labels}.items():
            yield {
                "selected": value == listing.params.get(self.parameter, ""),
                "query_string": listing.get_query_string({self.parameter: value}),
                "display": label,
            }


class Listing:
    """Read one page of the list when it is made. Django's templates know it as `cl`.

    Args:
        query: `q`, the id of a task or what its name fits; `kind`; `age`, a key of `AGES`; `p`, the page.

    Raises:
        StoreError: the store cannot be read.
    """

    opts = Model._meta
    search_fields = ("id", "task")
    search_help_text = "The id of a task, or its name: the last words of it will do, and * is any text."
    has_filters = True
    clear_all_filters_qs = "?"
    show_all = can_show_all = False

    def __init__(self, dead_letters: DeadLetters, query: Mapping[str, str]) -> None:
        stated = {name: query[name].strip() for name in PARAMETERS if query.get(name, "").strip()}
        self.params = {name: value for name, value in stated.items() if name != PAGE_VAR}
        self.query = stated.get(SEARCH_VAR, "")
        self.has_active_filters = bool(self.params)
        kind, text = stated.get("kind"), self.query or None
        older_than = AGES[stated["age"]][1] if stated.get("age") in AGES else None

        found = dead_letters.find(text, older_than=older_than) if text else []
        if found:
            kinds = Counter(entry.kind for entry in found)
        else:
            kinds = dead_letters.count(task=text, older_than=older_than)
        self.result_count = self.full_result_count = _below(kind, kinds) if kind else kinds.total()
        self.is_cut = self.result_count > MOST_LISTED
        self.paginator = Paginator(range(min(self.result_count, MOST_LISTED)), PAGE)
        page = self.paginator.get_page(stated.get(PAGE_VAR))
        self.page_num = page.number
        self.multi_page = page.has_other_pages()
        if not found and self.result_count:
            found = dead_letters.find(kind=kind, task=text, older_than=older_than, limit=page.end_index())
        self.result_list: list[DeadLetter] = found[max(page.start_index() - 1, 0) : page.end_index()]
        self.filter_specs = [
            Filter("kind", "kind", _labels(kinds, kind)),
            Filter("last failure", "age", {key: label for key, (label, _) in AGES.items()}),
        ]

    def get_query_string(self, changed: Mapping[str, Any]) -> str:
        """Return the query with some parameters changed, on its first page unless that is one of them."""
        query = {**self.params, **changed}
        return "?" + urlencode({name: value for name, value in query.items() if value})


def _below(kind: str, kinds: "Counter[str]") -> int:
    """Return how many are of the kind and of those below it."""
    return sum(number for one, number in kinds.items() if is_kind_of(one, kind))


def _labels(kinds: "Counter[str]", chosen: str | None) -> dict[str, str]:
    """Return a label with a number for each kind, and for the first word that several have in common."""
    words = Counter(kind.partition(".")[0] for kind in kinds)
    common = [word for word, number in words.items() if number > 1]
    every = sorted({*kinds, *common, *([chosen] if chosen else ())})
    return {kind: f"{kind} ({_below(kind, kinds)})" for kind in every}
