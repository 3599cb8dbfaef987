"""Metrics for Prometheus: made of the engine's numbers when they are asked for."""
