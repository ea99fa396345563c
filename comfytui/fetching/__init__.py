"""Fetching a model that a workflow tells of into the folders of a server on this machine."""
