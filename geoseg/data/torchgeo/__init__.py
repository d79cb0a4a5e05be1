"""The parts of the dataset ``torchgeo``: ``call`` (opening), ``meaning`` (classes), ``source`` (reading), ``download``."""
