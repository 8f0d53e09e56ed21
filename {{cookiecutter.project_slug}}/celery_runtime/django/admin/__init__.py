"""Show the dead letters in Django's admin."""
