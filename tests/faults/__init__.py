"""Faults caused for real, each by the libraries that people use, and the verdict that is expected.

Run by the Python of a baked project in which `requirements-faults.txt` is installed, too:
`python -m tests.faults PACKAGE`. It imports nothing that only the template's own environment has.
"""
