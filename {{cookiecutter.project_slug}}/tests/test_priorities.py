import pytest

from celery_runtime import Priority

from {{ cookiecutter.project_slug }} import app

from .tasks import publish_child, tell_priority, tell_time


def test_a_backlog_runs_by_priority_and_unset_is_normal(worker):
    worker.stop_gently()
    results = {priority: tell_time.apply_async(priority=priority) for priority in (2, 6, None, 4, 0, 9, 5)}
    worker.start()
    assert sorted(results, key=lambda priority: results[priority].get(timeout=30)) == [9, 6, None, 5, 4, 2, 0]


def test_a_child_inherits_its_parents_priority(worker):
    child = publish_child.apply_async(priority=Priority.HIGH).get(timeout=30)
    assert app.AsyncResult(child).get(timeout=30) == Priority.HIGH


def test_unset_is_normal_from_wherever_it_is_published(worker):
    assert tell_priority.delay().get(timeout=30) == Priority.NORMAL
    assert app.send_task(tell_priority.name).get(timeout=30) == Priority.NORMAL


@pytest.mark.parametrize("priority", [-1, 10, "high"])
def test_a_priority_that_does_not_exist_is_refused_where_it_is_published(priority):
    with pytest.raises(ValueError, match="must be a whole number from 0 to 9"):
        tell_priority.apply_async(priority=priority)


def test_names_are_ordered():
    assert Priority.LOW < Priority.NORMAL < Priority.HIGH < Priority.CRITICAL
    assert Priority.NORMAL == 5
