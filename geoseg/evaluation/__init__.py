"""Predictions against references: ``mask``, ``scenes`` and ``model`` count (an ``evaluation``), by named ``protocol``;
``report`` has tables and JSON, ``dossier`` the page; ``gap`` compares places without labels; ``picture``; ``describe``.
"""
