"""The ``geoseg`` command, with one file per subcommand. A subcommand parses options, calls one library function and
prints.
"""
