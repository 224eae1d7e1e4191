"""skyfs: a repository of scientific datasets as a filesystem."""
