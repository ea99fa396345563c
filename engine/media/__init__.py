"""Sound and film: files to tensors and back, through PyAV (FFmpeg's libraries), which is imported when it is needed."""
