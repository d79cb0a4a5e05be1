"""Write and check submissions to benchmark servers."""
