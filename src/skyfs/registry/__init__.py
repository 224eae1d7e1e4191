"""What exists: collections, records and datasets, in SQL."""
