"""What all benchmarks share: tables of figures with targets, the machine in words, stored results."""

# In the order of the page. Each is a program here, and a text in `pages/`.
BENCHMARKS = (
    "startup",
    "registry",
    "discovery",
    "postgresql",
    "writes",
    "sharing",
    "check",
    "parts",
    "stores",
    "doors",
    "cache",
    "mount",
)
