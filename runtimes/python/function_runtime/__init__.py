"""The parts of the server: one module a concept, put together in main.py."""
