"""Runs commands as somebody would who has configured nothing."""

import subprocess
from pathlib import Path

from scripts.baking import clean_environment


def unconfigured(home: Path) -> dict[str, str]:
    """Return an environment in which the user's own configuration of Cookiecutter changes no answer."""
    environment = clean_environment(HOME=str(home))
    environment.pop("COOKIECUTTER_CONFIG", None)
    return environment


def run(*command: str | Path, environment: dict[str, str]) -> None:
    """Run the command in silence.

    Raises:
        RuntimeError: it failed; with its output.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
