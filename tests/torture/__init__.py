"""Run geoseg on thousands of awkward, damaged and hostile inputs, and count faults: `make torture`."""
