"""Modules under the names that packs import; never imported under this path."""
