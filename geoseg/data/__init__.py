"""Labelled scenes to crops: ``dataset`` and ``datasets/`` (declarations), ``labels``, ``prepare``, ``prepared``, ``samplers/``, ``crop``, ``loader``."""
