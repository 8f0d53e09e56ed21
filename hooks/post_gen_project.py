"""Moves the chosen overlays into place and prints the next steps, nothing else."""

import shutil
from pathlib import Path

OVERLAYS = Path("_overlays")
CHOSEN = (
    {{ cookiecutter.framework | tojson }},
    "{{ cookiecutter.framework }}-{{ cookiecutter.result_backend }}",
    {{ ("license-" + cookiecutter.license) | tojson }},
)
LEFT_OUT = {"django": (), "plain": ("celery_runtime/django",)}


def move_in(overlay: Path) -> None:
    for source in [path for path in overlay.rglob("*") if path.is_file()]:
        target = source.relative_to(overlay)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


for name in CHOSEN:  # a license of "proprietary" has no overlay: no file to add
    move_in(OVERLAYS / name)
shutil.rmtree(OVERLAYS)
for cache in list(Path("celery_runtime").rglob("__pycache__")):  # of a checkout in which it was tested
    shutil.rmtree(cache)
for folder in LEFT_OUT[{{ cookiecutter.framework | tojson }}]:
    shutil.rmtree(folder)

# "is defined": `cruft update` bakes the new version with the local_extensions.py of the old one.
if not {{ baked_to_compare is defined }}:
    print(
        """
Next:
  cd {{ cookiecutter.project_slug }}
  make demo      install it and watch it run; no server needed
  make worker    start a worker
  make test      run its tests
"""
    )
