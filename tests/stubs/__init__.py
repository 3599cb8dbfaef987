"""Modules that stand for packages which no test installs."""
