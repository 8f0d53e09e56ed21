"""Ways to break a generated project, one for each promise: a generated test must notice."""

from . import crashes, dead_letters, discovery, errors, outages, priorities, settings
from .mutation import Mutation

__all__ = ["MUTATIONS", "Mutation"]

MUTATIONS = (
    *discovery.MUTATIONS,
    *priorities.MUTATIONS,
    *errors.MUTATIONS,
    *settings.MUTATIONS,
    *dead_letters.MUTATIONS,
    *crashes.MUTATIONS,
    *outages.MUTATIONS,
)
