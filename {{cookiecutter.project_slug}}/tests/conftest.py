# The fixtures `worker`, `project_copy` and `start_worker`; what they do is told in celery_runtime/testing/__init__.py.
# The app is imported in tests, not here: the plugin first gives it a broker of its own.
pytest_plugins = ["celery_runtime.testing"]
