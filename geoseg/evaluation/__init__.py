"""Masks against references: `evaluate` (counts), `report` (table, JSON, picture)."""
