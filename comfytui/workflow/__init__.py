"""Pure functions on workflow documents: read, summarise, change, check, write. No I/O but `read` and `write`."""
