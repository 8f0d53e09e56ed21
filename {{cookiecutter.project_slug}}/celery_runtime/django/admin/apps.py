from django.apps import AppConfig
from django.core import checks


class DeadLettersConfig(AppConfig):
    name = __name__.rpartition(".")[0]
    label = "dead_letters"
    verbose_name = "Celery"

    def ready(self) -> None:
        from celery_runtime.django.checks import check_task_files

        # With --deploy only: a web process imports no task file, and a broken one must not stop a migration.
        checks.register(check_task_files, deploy=True)
