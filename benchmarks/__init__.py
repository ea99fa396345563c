"""Measurements, each against a baseline in the same run: machines differ, ratios less so."""
