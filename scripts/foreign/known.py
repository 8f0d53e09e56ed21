"""The differences that are meant, and why; a test stands here by its name without parameters."""

SUBSCRIPTIONS = "The keys of results begin with the name of the project, so that two projects can share a Redis."
RUNNING = "Messages have the priority 5 and the queue `tasks`, and are acknowledged after the task."

KNOWN = {
    "test_canvas.py::test_chord::test_nested_chord_header_link_error": (
        "The outer chord ends as well, and calls the errback that both bodies have; on the stock app it never ends."
    ),
    "test_inspect.py::test_Inspect::test_active": RUNNING,
    "test_inspect.py::test_Inspect::test_active_queues": "The queue is `tasks`, and has priorities.",
    "test_inspect.py::test_Inspect::test_query_task": RUNNING,
    "test_inspect.py::test_Inspect::test_scheduled": "What is not due waits on the broker, and no worker knows it.",
    "test_tasks.py::test_task_redis_result_backend::test_asyncresult_forget_cancels_subscription": SUBSCRIPTIONS,
    "test_tasks.py::test_task_redis_result_backend::test_asyncresult_get_cancels_subscription": SUBSCRIPTIONS,
    "test_tasks.py::test_tasks::test_request_time_limits_none_when_not_configured": (
        "A task has time limits unless it states others."
    ),
}
