"""Pages to look at: ``html`` (elements, one file with everything in it), ``charts``; ``overview``, ``sections`` and
``pictures`` (what a report shows); ``gap_sections`` (what a comparison of two sides shows).
"""
