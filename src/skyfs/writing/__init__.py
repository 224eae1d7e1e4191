"""Writing: what is to be written where, bytes into stores, rows into the registry, all or nothing."""
