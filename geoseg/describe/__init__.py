"""Describe any file that geoseg reads or writes."""
