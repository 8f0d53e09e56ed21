"""The machinery of this project: read it, do not edit it. An upgrade of the template replaces it."""
