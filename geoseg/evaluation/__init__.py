"""Masks against references: ``mask`` and ``model`` (counts, as an ``evaluation``), ``report`` (table, JSON),
``picture``, ``describe`` (what a file is).
"""
