"""Values of the field, without input or output: paths, dimensions, data IDs, datasets, collections, times."""
