"""Export crops of scenes to disk."""
