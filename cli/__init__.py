"""The ``geoseg`` command, with one module per subcommand, which parses options, calls the library and prints results."""
