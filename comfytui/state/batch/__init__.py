"""Queues of work: many jobs on several servers, each done once, whatever breaks in between."""
