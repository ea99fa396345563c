"""What the replay of the recordings may not hold against the engine, each with the heading of its reason.

The headings are those of `docs/differences.md`, where the reasons are written for people; a test compares the two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Excuses the problems (`NUMBER or TRANSCRIPT`, a place, and what is wrong there) that `pattern` matches."""

    heading: str
    pattern: str

    def excuses(self, problem: str) -> bool:
        return re.match(self.pattern, problem) is not None


DIFFERENCES = (
    # On purpose.
    Difference("A body that is not JSON answers 400", r"(41|81) (status: 400, not 500|headers\.content-type|body)"),
    Difference("A cycle is named", r"95 \$\.node_errors\.30: not theirs"),
    Difference("DELETE of a queued prompt or a history entry", r"13[56] (status: 404, not 405|headers|body)"),
    Difference("Words of descriptions and tooltips", r"\d+ \$\..*(tooltip|output_tooltips\[\d+\]|description): "),
    Difference("Keys that this engine adds", r"(3|17) \$\.system\.(engine|worker): not theirs"),
    Difference(
        "Words of errors from inside a node",
        r"(117|127|execution-error) ?.*(exception_message|exception_type|traceback|current_inputs\.samples\[0\]): ",
    ),
    Difference("Previews are not larger than the picture", r"txt2img-previews\S*\[\d+\]\.picture\[[12]\]: 64, not 512"),
    Difference("No scripts of the web front end", r"10 \$"),
    # What the recorded server had and this one was not given.
    Difference(
        "Not compared: what ran before the recording",
        r"2 \$\.[^.]+\.(prompt\[2\]\..*|outputs\..*\.filename: .*|status\.messages\[1\]\[1\]\.nodes: .*)",
    ),
    Difference("Not compared: what ran before the recording", r"30 \$\.jobs\[\d+\]\.preview_output\.filename: "),
)

# Places whose value no rule decides; only the type is compared.
FREE = tuple(
    re.compile(pattern)
    for pattern in (
        r".*\.(timestamp|create_time|execution_start_time|execution_end_time|modified|created)$",
        r"(3|17) \$\.system\.(ram_total|ram_free|python_version|pytorch_version)$",
        r"(3|17) \$\.system\.argv$",
        r"(3|17) \$\.devices\[0\]\.(vram|torch_vram)_(total|free)$",
        r"29 \$\[\d\]\.size$",
        r"42 \$$",  # a new id
        r"25 \$\.entries\[\d+\]\.[tm]$",
        r"9[34] \$\..*\.(traceback|input_name|input_config)$",  # see UNORDERED: the input that was looked at first
    )
)

# Lists whose order is that of a Python set there, another one in each run.
UNORDERED = tuple(re.compile(pattern) for pattern in (r".*\.(executed|current_outputs|nodes)$",))

# Lists that are longer or shorter in each run; the first elements are compared.
OPEN = (re.compile(r"25 \$\.entries$"),)
