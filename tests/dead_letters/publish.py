"""Run in a baked project, beside a worker: publishes each way to fail, and prints the id of each as JSON.

Those that Celery would refuse to publish are given to the broker as they are.
"""

import json
import pickle
import uuid

from shop import app
from shop.celery_tasks import ex70_failing_tasks as failing

MODULE = failing.__name__
RAISING = (
    "exception",
    "policy_exhausted",
    "retries_exhausted",
    "soft_time_limit",
    "hard_time_limit",
    "bad_result",
    "killed",
    "system_exit",
    "rejected",
    "memory_error",
    "ignored",
)


def main() -> None:
    # At first, while the worker is idle: RabbitMQ drops by itself what expires in its queue.
    ids = {"expired": failing.healthy.apply_async(countdown=2, expires=1).id}
    ids.update((name, getattr(failing, name).delay().id) for name in RAISING)
    ids["bad_arguments"] = app.send_task(f"{MODULE}.bad_arguments", queue="tasks").id
    ids["unknown_task"] = app.send_task(f"{MODULE}.nobody_wrote_it", (1,), queue="tasks").id
    revoked = str(uuid.uuid4())
    app.control.revoke(revoked)
    ids["revoked"] = failing.healthy.apply_async(task_id=revoked, countdown=1).id
    with app.producer_pool.acquire() as producer:
        ids.update(published_raw(producer))
    ids["healthy"] = failing.healthy.delay().id
    print(json.dumps(ids))


def published_raw(producer) -> dict[str, str | None]:
    body = [[], {}, {}]
    good = json.dumps(body).encode()
    bodies = {
        "refused_content": (pickle.dumps(body), "application/x-python-serialize", "binary"),
        "unknown_content_type": (good, "application/x-nobody-knows", "utf-8"),
        "undecodable_body": (b"[[", "application/json", "utf-8"),
        "malformed_body": (b"[1]", "application/json", "utf-8"),
    }
    ids: dict[str, str | None] = {}
    for name, (content, content_type, encoding) in bodies.items():
        ids[name] = str(uuid.uuid4())
        headers = {"id": ids[name], "task": f"{MODULE}.healthy", "lang": "py"}
        send(producer, content, content_type, encoding, headers)
    send(producer, good, "application/json", "utf-8", {"task": f"{MODULE}.healthy"})
    ids["malformed_header"] = None
    send(producer, b'{"hello": "world"}', "application/json", "utf-8", {})
    ids["no_celery_message"] = None
    return ids


def send(producer, body: bytes, content_type: str, encoding: str, headers: dict) -> None:
    queue = app.amqp.queues["tasks"]
    producer.publish(
        body,
        exchange=queue.exchange,
        routing_key=queue.routing_key,
        declare=[queue],
        content_type=content_type,
        content_encoding=encoding,
        headers=headers,
        priority=5,
    )


if __name__ == "__main__":
    main()
