"""The differences that are meant, and why; a test stands here by its name without parameters."""

KNOWN: dict[str, str] = {}
