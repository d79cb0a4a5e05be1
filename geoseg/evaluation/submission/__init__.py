"""Write and check submissions for benchmark servers."""
