"""A package around the library, as small as can be, without its task files; BROKER and QUEUES choose what it uses."""

SMALL_PACKAGE = {
    "__init__.py": "from .celery_config import app\n",
    "celery_config.py": """
from celery_runtime import Celery

app = Celery(__package__)
app.config_from_object(f"{__package__}.settings")
""",
    "settings.py": """
import os

from celery_runtime import priority_queue

broker_url = os.environ["BROKER"]
task_queues = [priority_queue(name) for name in os.environ.get("QUEUES", "tasks").split()]
task_default_queue = "tasks"
task_file_pattern = "ex*.py"
beat_schedule = {}
""",
    "error_policy.py": "POLICY, MAX_AGE = {}, 60\n",
    "celery_tasks/__init__.py": "",
}
