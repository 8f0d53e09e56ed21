"""The first app of a Django project, as `manage.py startapp` writes it, needs no configuration but INSTALLED_APPS."""

import subprocess
import sys
import zipfile

import pytest

pytestmark = pytest.mark.baked

MODELS = """from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=20, unique=True)
    shipped = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return self.number
"""
ADMIN = """from django.contrib import admin

from .models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "shipped"]
"""
TASK = """from django.utils import timezone

from orders.models import Order

from ..celery_config import app


@app.task(queue="tasks")
def ship(number: str) -> int:
    return Order.objects.filter(number=number, shipped=None).update(shipped=timezone.now())
"""
TEST = """from shop.celery_tasks.ex20_ship import ship


def test_an_order_is_shipped_once(worker):
    from orders.models import Order

    Order.objects.create(number="A-1")
    assert ship.delay("A-1").get(timeout=10) == 1
    assert ship.delay("A-1").get(timeout=10) == 0
"""


def test_lint_tests_and_wheel_know_an_app_beside_the_package(bake_own):
    project = bake_own(framework="django")
    manage = (project.python, "manage.py")
    project.run(*manage, "startapp", "orders", check=True)
    project.run(*manage, "startapp", "untouched", check=True)
    settings = project.package / "settings.py"
    named = 'INSTALLED_APPS = [\n    "orders",'
    settings.write_text(settings.read_text().replace("INSTALLED_APPS = [", named))
    (project.path / "orders/models.py").write_text(MODELS)
    (project.path / "orders/admin.py").write_text(ADMIN)
    (project.tasks / "ex20_ship.py").write_text(TASK)
    (project.path / "tests/test_ship.py").write_text(TEST)
    project.run(*manage, "makemigrations", "orders", check=True)
    for command in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)):
        done = project.run(project.python, "-m", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = project.run(project.python, "-m", "pytest", "-q", "tests/test_ship.py")
    assert done.returncode == 0, done.stdout
    built = [sys.executable, "-m", "uv", "build", "--quiet", "--wheel"]
    subprocess.run(built, cwd=project.path, env=project.environment(), check=True)
    [wheel] = (project.path / "dist").glob("*.whl")
    packed = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert packed == {"celery_runtime", "orders", "shop", "untouched", "shop-0.1.0.dist-info"}
