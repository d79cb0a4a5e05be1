"""Write crops of scenes to disk."""
