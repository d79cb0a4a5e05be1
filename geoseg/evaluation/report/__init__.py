"""Report on one or more runs as a self-contained HTML page, JSON and Markdown."""
