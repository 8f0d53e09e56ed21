"""A result in Django's database says of which task it is."""

import json

from celery_runtime.testing.worker import WorkerProcess

TASKS = """
    from PACKAGE import app

    @app.task(queue="tasks")
    def add(x, y):
        return x + y
"""
RESULTS = """
    import json
    from django_celery_results.models import TaskResult
    rows = TaskResult.objects.filter(task_name="PACKAGE.celery_tasks.ex70_nightly.add")
    print(json.dumps(list(rows.values_list("periodic_task_name", "worker", "task_args"))))
"""
NIGHTLY = "SCHEDULE = {{'nightly': {{'task': '{}.celery_tasks.ex70_nightly.add', 'schedule': 0.5, 'args': [1, 2]}}}}\n"


def test_a_result_says_of_which_task_it_is(copy, start, tmp_path):
    copy.write("ex70_nightly.py", TASKS)
    (copy.root / copy.package / "schedule.py").write_text(NIGHTLY.format(copy.package))
    worker = start()
    copy.run("from PACKAGE.celery_tasks.ex70_nightly import add; assert add.delay(1, 2).get(timeout=20) == 3")
    options = ("--schedule", str(tmp_path / "schedule"))
    with WorkerProcess(copy.package, tmp_path / "log", *options, command="beat", environment=copy.environment):
        worker.wait_for(lambda: worker.output().count("succeeded") >= 2)
    told = {tuple(row) for row in json.loads(copy.run(RESULTS))}
    [host] = {worker for _, worker, _ in told}
    assert host.startswith("worker-0@")
    assert told == {(None, host, None), ("nightly", host, None)}
