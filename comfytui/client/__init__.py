"""The protocol: everything that is said to a ComfyUI server and everything it answers."""

from comfytui.client.errors import (
    BadAnswer,
    BadTarget,
    ClientError,
    Denied,
    Missing,
    NodeProblems,
    NotComfyUI,
    NotKept,
    Problem,
    ReadOnly,
    Refused,
    ServerFailed,
    TooLarge,
    Unreachable,
)
from comfytui.client.messages import Submitted
from comfytui.client.target import Target

__all__ = [
    "BadAnswer",
    "BadTarget",
    "ClientError",
    "Denied",
    "Missing",
    "NodeProblems",
    "NotComfyUI",
    "NotKept",
    "Problem",
    "ReadOnly",
    "Refused",
    "ServerFailed",
    "Submitted",
    "Target",
    "TooLarge",
    "Unreachable",
]
