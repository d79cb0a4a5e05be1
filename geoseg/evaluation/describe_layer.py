LAYER_SUFFIXES = {}
describe_layer = None
