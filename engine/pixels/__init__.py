"""Operations on pictures and masks: pure functions on tensors.

A picture is float32 (B, H, W, 3 or 4) in 0…1, a mask float32 (B, H, W).
"""
