"""`make foreign`: run Celery's own integration tests against a baked app, beside a stock app, and print what differs."""
