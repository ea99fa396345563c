"""The prompt and the workflow that a picture, film, sound, scene or tensor file carries.

Only headers are read, by seeking: never the pixels, never a whole film. Files are foreign: every length is checked
against the file, what unpacks is bounded, and directories that point to one another are entered once.
"""

from comfytui.workflow.embedded.finding import KINDS, SUFFIXES, Embedded, find, kind_of
from comfytui.workflow.embedded.parameters import Parameters, as_facts, parameters

__all__ = ["KINDS", "SUFFIXES", "Embedded", "Parameters", "as_facts", "find", "kind_of", "parameters"]
