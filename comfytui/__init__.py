"""comfytui: a terminal dashboard for ComfyUI, and its headless commands."""

__version__ = "0.1.0"
