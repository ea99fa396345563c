raise RuntimeError("switched off")
