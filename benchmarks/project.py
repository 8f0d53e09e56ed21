"""A project that was baked and installed as somebody would who has configured nothing."""

import sys
from pathlib import Path

from scripts.baking import TEMPLATE, BakedProject

from .command import run, unconfigured


def installed_project(scratch: Path, framework: str) -> BakedProject:
    """Bake a project into a folder of its own below `scratch`, and make its environment."""
    answers = ("project_slug=shop", f"framework={framework}")
    output = scratch / framework
    bake = (sys.executable, "-m", "cookiecutter", TEMPLATE, "--no-input", "-o", output, *answers)
    run(*bake, environment=unconfigured(scratch))
    project = BakedProject(output / "shop", "shop")
    project.install()
    return project
