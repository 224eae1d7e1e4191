"""Repositories that share datasets: export, import, push, and what subsets and merges are made by."""
