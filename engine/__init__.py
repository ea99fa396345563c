"""A local engine that speaks ComfyUI's HTTP and WebSocket API: `python -m engine`."""
