"""The module names that custom node packs import, answered by this engine; `finder` makes them importable."""
