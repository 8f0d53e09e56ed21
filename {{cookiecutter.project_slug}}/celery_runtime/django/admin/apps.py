from django.apps import AppConfig


class DeadLettersConfig(AppConfig):
    name = __name__.rpartition(".")[0]
    label = "dead_letters"
    verbose_name = "Celery"
