"""The headless commands: the same connection as the dashboard, printed."""
