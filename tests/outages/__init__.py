"""Brokers that are away, flushed or out of space: what whoever publishes and whoever runs a worker sees."""
