"""Exports of Rubin data butlers, taken in."""
