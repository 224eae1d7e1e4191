"""What a registry holds, as the lines of a manifest, and lines put into a registry."""
