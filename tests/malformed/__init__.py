"""Malformed messages, published past Celery, and an account of what a worker makes of each.

Run by the Python of a baked project: `python -m tests.malformed PACKAGE …`, while a worker of it runs on the
tasks of `tasks.py`. It imports nothing that only the template's own environment has.
"""
