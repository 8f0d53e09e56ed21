from django.db import models


class DeadLetter(models.Model):
    """Give the admin its permissions and its link. It has no table: the entries are on the broker."""

    id: "models.CharField[str, str]" = models.CharField("task id", max_length=255, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "change", "delete")
        verbose_name = "dead letter"
        verbose_name_plural = "dead letters"

    def __str__(self) -> str:
        return self.id
