"""The protocol: everything that is said to a ComfyUI server and everything it answers."""
