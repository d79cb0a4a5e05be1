"""Recipe to bundle: ``fit`` wires it, ``run`` is its folder, ``session`` its work, ``loop`` its steps.

A step: ``step``, ``crops``, ``scaling``, ``weights``, ``schedule``. Between steps: ``validation``, ``keep``, ``average``,
``checkpoint``, ``watch``, ``logbook``, ``pictures``. Where and how long: ``devices``, ``cost``, ``stop``.
"""
