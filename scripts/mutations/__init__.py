"""Ways to break the library and a project, one for each promise: a test must notice."""

from ..baking import TEMPLATE
from . import (
    chords,
    crashes,
    dead_letters,
    delays,
    discovery,
    early,
    errors,
    names,
    outages,
    printed,
    priorities,
    settings,
    stops,
    testing,
)
from .mutation import Mutation

__all__ = ["MUTATIONS", "RUNTIME_TESTS", "Mutation"]

RUNTIME_TESTS = TEMPLATE / "tests/runtime"

MUTATIONS = (
    *discovery.MUTATIONS,
    *priorities.MUTATIONS,
    *errors.MUTATIONS,
    *settings.MUTATIONS,
    *dead_letters.MUTATIONS,
    *crashes.MUTATIONS,
    *stops.MUTATIONS,
    *outages.MUTATIONS,
    *delays.MUTATIONS,
    *names.MUTATIONS,
    *chords.MUTATIONS,
    *early.MUTATIONS,
    *printed.MUTATIONS,
    *testing.MUTATIONS,
)
