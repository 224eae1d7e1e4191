"""A simulated mini-survey: real FITS files, tables and metrics of two small cameras over three nights."""
