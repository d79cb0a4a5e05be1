"""The ``geoseg`` command: one file per subcommand; a command parses, calls one function of the library, prints."""
