"""Puts a sample project together: what a bake holds beside the library, without its examples, and without a bake.

Generated Python holds no Jinja, so the files are those of the template.
"""

import shutil
import tomllib
from pathlib import Path

import celery_runtime

LIBRARY = Path(celery_runtime.__path__[0])
SLUG = "{{cookiecutter.project_slug}}"
PACKAGE = "shop"
# Each framework with another place for results.
OVERLAYS = {"django": ("django", "django-database"), "plain": ("plain", "plain-redis")}
COMMANDS = '[project.entry-points."celery.commands"]\n'


def put_together(folder: Path, framework: str) -> None:
    """Write the package into the folder, and the metadata by which Celery finds the commands of the library.

    Where the library stands in a baked project, as it does when that is mutated, the package is the project's own.
    """
    project = LIBRARY.parent
    sources = [project / PACKAGE]
    if not sources[0].exists():
        overlays = [project / "_overlays" / name for name in OVERLAYS[framework]]
        sources = [source / SLUG for source in (project, *overlays)]
    for source in sources:
        ignored = shutil.ignore_patterns("ex*.py", "__pycache__")
        shutil.copytree(source, folder / PACKAGE, ignore=ignored, dirs_exist_ok=True)
    (folder / PACKAGE / "schedule.py").write_text("SCHEDULE = {}\n")  # that of the template names an example
    (folder / LIBRARY.name).symlink_to(LIBRARY)  # where it stands in a project
    metadata = folder / "sample-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sample\nVersion: 0\n")
    stated = (project / "pyproject.toml").read_text().partition(COMMANDS)[2].partition("\n\n")[0]
    commands = "\n".join(f"{name} = {value}" for name, value in tomllib.loads(stated).items())
    (metadata / "entry_points.txt").write_text(f"[celery.commands]\n{commands}\n")
