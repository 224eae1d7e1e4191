"""Shipped conformance suites, strategies and fakes."""
