"""What the user decided, and where it is kept: the schema, the files, the servers, and the memory between runs."""
