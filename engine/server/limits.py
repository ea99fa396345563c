"""How much a client may ask of the front process, each bound with its reason. A refusal names the bound it met.

Bounds that differ from site to site are flags: `--max-upload-size` (every body) and `--max-queue` (jobs that wait).
"""

from __future__ import annotations

JSON_BODY = 64 * 1024 * 1024  # bytes; parsing holds the event loop, some 0.2 s for this much. Pictures are uploads
QUEUE = 1024 * 1024 * 1024  # bytes of waiting prompts, which lie in memory; ten thousand usual ones have 0.1 GB
DEPTH = 128  # JSON in JSON; workflows of nested subgraphs reach about 20, and what handles values may recurse
NODES = 10_000  # of a prompt; the largest workflows that people share have about a thousand
INPUTS = 1_000  # of a node; those that grow have some dozens
IDENTIFIER = 256  # characters of a node's id, a class, an input, a prompt's id, a client's id
LISTED = 10_000  # ids in one request to delete or to run
SOCKETS = 5_000  # open at a time, some 30 kB each; a thousand are measured, and a dashboard or a page has one
SOCKET_MESSAGE = 64 * 1024  # bytes from a client; the one message that means anything has some hundred
FORM_PARTS = 16  # of an upload, which has four fields
FORM_FIELD = 64 * 1024  # bytes of a text field; `original_ref` is the longest
SETTINGS = 4 * 1024 * 1024  # bytes of one user's settings, which are read whole for each answer
USERS = 1_000  # their names are one file, which is read for each request
DECODING = 2  # pictures at a time: each may take a gigabyte, and threads are 32
