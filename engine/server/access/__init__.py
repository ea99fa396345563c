"""Who may call the engine: by which address, from which page, with which token."""
