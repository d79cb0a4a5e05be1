"""Hostile inputs, one module per kind of file. Each writes its files and returns cases: ``write_cases(place)``."""
