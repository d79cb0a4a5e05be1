"""Labelled scenes to crops: ``dataset``, ``datasets/`` (declarations), ``encoding``, ``labels``, ``prepare``, ``samplers/``,
``crop``, ``loader``.
"""
