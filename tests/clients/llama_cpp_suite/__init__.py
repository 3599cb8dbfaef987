"""Runs the tests of llama.cpp's own server against this one: `python -m tests.clients.llama_cpp_suite SOURCES`."""
