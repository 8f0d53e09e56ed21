"""What is told where this machine has not what a test or a command needs."""


class Unavailable(Exception):
    """A server, or a way to use it, is missing: with the reason and the remedy, in one line."""
