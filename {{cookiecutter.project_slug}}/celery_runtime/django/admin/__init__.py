"""The page of the dead letters in Django's admin."""
