"""Every way in which a task can end for good, caused for real in a baked project, and what became of it."""
