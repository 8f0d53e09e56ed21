"""Many tasks at once, of which some fail: what has succeeded is used, and what has failed is named.

Use a group for work that can be done side by side, and a chord for what is to follow when all of it is done.
The traps: `.get()` of a group raises the first error and hides the rest, unless `propagate=False`; the body
of a chord does not run when one task of its header has failed, so give it an `on_error`; and no task waits
for another by `.get()`, which Celery refuses, because the worker could wait for itself.
"""

from typing import Any

from celery import chord, group

from celery_runtime import PermanentError

from ..celery_config import app


@app.task(queue="tasks")
def shrink(file: str) -> str:
    if not file.endswith(".png"):
        raise PermanentError(f"{file} is no picture", kind="application.no_picture")
    return f"small {file}"


@app.task(queue="tasks")
def make_album(pictures: list[str]) -> str:
    return f"an album of {len(pictures)}"


@app.task(queue="tasks")
def give_up_album(name: str) -> str:
    return f"{name} will not be made"


def run_tasks() -> None:
    """Shrink four files, one of which is no picture, then make two albums of them. A worker must be running. Prints:

    done: small a.png, small b.png, small c.png
    failed: notes.txt is no picture
    all pictures: an album of 3
    with the notes: ChordError, so holidays will not be made
    """
    files = ["a.png", "b.png", "notes.txt", "c.png"]
    results: Any = group(shrink.s(file) for file in files).apply_async()
    results.get(timeout=30, propagate=False)
    print("done:", ", ".join(result.result for result in results if result.successful()))
    print("failed:", *(result.result for result in results if result.failed()))

    pictures = [shrink.s(file) for file in files if file.endswith(".png")]
    print("all pictures:", chord(pictures, make_album.s()).apply_async().get(timeout=30))

    given_up = give_up_album.si("holidays")
    given_up_result = given_up.freeze()  # gives it its id, by which its result is found
    body = make_album.s().on_error(given_up)
    error = chord([*pictures, shrink.s("notes.txt")], body).apply_async().get(timeout=30, propagate=False)
    print(f"with the notes: {type(error).__name__}, so", given_up_result.get(timeout=30))
