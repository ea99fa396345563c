"""The WebSocket: what happens, while it happens."""

from __future__ import annotations

from engine.server.openapi.describe import BYTES, Answer, Input, Operation, Operations

TITLE = "events"

_EVENTS = {
    "status": "To everybody, whenever the queue changes: `status.exec_info.queue_remaining`. The first one has `sid`.",
    "execution_start": "`prompt_id`, `timestamp`.",
    "execution_cached": "`nodes` whose results are kept from before, `prompt_id`, `timestamp`.",
    "executing": "`node`, `display_node`, `prompt_id`; with `node` null the job has ended and is in the history.",
    "progress_state": "`prompt_id`, `nodes`: by id `value`, `max`, `state` (`running`, `finished`, `error`) and names.",
    "progress": "`value`, `max`, `prompt_id`, `node`.",
    "executed": "`node`, `display_node`, `output`, `prompt_id`, for nodes that show something.",
    "execution_success": "`prompt_id`, `timestamp`; the history has the job a moment later.",
    "execution_error": "`prompt_id`, `node_id`, `node_type`, `exception_message`, `exception_type`, `traceback` and more.",
    "execution_interrupted": "`prompt_id`, `node_id`, `node_type`, `executed`, `timestamp`.",
    "feature_flags": "What `/features` says, in answer to the client's own.",
    "logs": "`entries` and `size`, to those who subscribed.",
    "notifications": "To everybody: `value`, a sentence about the engine itself, and `id`. Also as `notification`.",
}
_FRAMES = {
    "1": "A preview: u32 format (1 JPEG, 2 PNG), the picture. To clients without `supports_preview_metadata`.",
    "3": "A text: u32 length and the node's id, the text in UTF-8.",
    "4": "A preview: u32 length and JSON about the node, the picture. To clients with `supports_preview_metadata`.",
}
_ABOUT = {
    "x-websocket": {
        "events": _EVENTS,
        "binary": _FRAMES,
        "from_client": {
            "feature_flags": "What the client can do; as its first message. Nothing else that it says means anything."
        },
    }
}

OPERATIONS: Operations = {
    ("GET", "/ws"): Operation(
        "connect",
        "Open a WebSocket",
        {
            101: Answer("The socket is open."),
            400: Answer("This is not a WebSocket handshake.", str, ("text/plain", BYTES)),
            503: Answer("As many are open as may be.", str, ("text/plain",)),
        },
        more=(
            'Text frames are `{"type": …, "data": …}`; the types and their data are below `x-websocket`. '
            "Binary frames begin with their number as u32, big-endian. A client that reads slowly misses "
            "older progress and previews, never events."
        ),
        inputs=(
            Input("clientId", "The name under which jobs are submitted; a lost socket comes back with the same."),
            Input("token", "The token, for clients that cannot set a header."),
        ),
        extra=_ABOUT,
    ),
}
