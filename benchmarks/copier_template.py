"""The same files as a template of Copier: what Cookiecutter renders is rendered, the rest is copied."""

import json
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from scripts.baking import TEMPLATE

PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"


def write(template: Path, answers: Mapping[str, str]) -> None:
    """Write the template. It asks nothing: `answers` fill the variables `cookiecutter.…`."""
    copied = json.loads((TEMPLATE / "cookiecutter.json").read_text())["_copy_without_render"]
    for source in PROJECT.rglob("*"):
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        relative = source.relative_to(PROJECT)
        paths = [path.as_posix() for path in (relative, *relative.parents)]
        static = any(fnmatchcase(path, pattern) for path in paths for pattern in copied)
        target = template / (relative if static else f"{relative}.jinja")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    question = {"type": "json", "when": False, "default": json.dumps(dict(answers))}
    # A file of JSON is one of YAML.
    (template / "copier.yml").write_text(json.dumps({"cookiecutter": question}))
