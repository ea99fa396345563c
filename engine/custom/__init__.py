"""Other people's nodes: finding packs, importing them and reading their classes."""
