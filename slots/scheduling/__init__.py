"""Scheduling: which slot, which batch, and every change to the KV cache."""
