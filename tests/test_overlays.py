"""Where the frameworks have a file each, they say the same of Celery."""

import re


def celery_settings(source: str) -> list[str]:
    """Return the lines from the broker's URL on, without the prefix and in lower case."""
    lines = source.splitlines()
    start = next(number for number, line in enumerate(lines) if "urls.broker_url()" in line)
    names = re.compile(r'(?<!")\bCELERY_([A-Z_]+)\b(?!")')
    block = [names.sub(lambda name: name[1].lower(), line) for line in lines[start:]]
    return " ".join(block).split()


def test_the_settings_of_celery_are_the_same_in_both_frameworks(baked):
    django, plain = (
        celery_settings((baked(framework=framework).package / "settings.py").read_text())
        for framework in ("django", "plain")
    )
    assert len(plain) > 100
    assert [word.replace("TIME_ZONE", '"UTC"') for word in django] == plain
