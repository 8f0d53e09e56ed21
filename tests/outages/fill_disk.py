"""Runs in a baked project: publishes until the disk of an embedded broker is full, then makes room. `argv[1]` is its folder."""

import os
import sys
import time
from pathlib import Path

from kombu.exceptions import OperationalError

from celery_runtime.brokers.embedded import EmbeddedBroker

folder = Path(sys.argv[1])
broker = EmbeddedBroker(folder)
filler = folder / "filler"
filler.write_bytes(bytes(500_000))
broker.start()
try:
    os.environ["CELERY_BROKER_URL"] = broker.url()
    os.environ["CELERY_RESULT_BACKEND"] = broker.url(1)
    from shop.celery_tasks.ex90_chaos import innocent

    published, deadline = 0, time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            innocent.apply_async((0,), {}, headers={"ballast": "x" * 100_000}, ignore_result=True)
            published += 1
            time.sleep(0.05)
    except OperationalError as error:
        print(f"{type(error).__name__}: {error}")
    filler.unlink()
    while True:
        try:
            innocent.apply_async((0,), ignore_result=True)
            break
        except OperationalError:
            assert time.monotonic() < deadline, "nothing can be published any more"
            time.sleep(0.2)
    # The last was taken with room again.
    waiting = broker._client().llen("shop:tasks\x06\x165")
    assert waiting - 1 >= published, f"of {published} messages {waiting - 1} are left"
    print(f"with room again it takes tasks; of {published} that it took before, {waiting - 1} wait")
finally:
    broker.stop()
