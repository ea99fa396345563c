"""Between the two forms of a workflow: the one that the web page saves (UI), and the one that a server runs (API)."""

from comfytui.workflow.convert.api import Converted, to_api
from comfytui.workflow.convert.changing import Changed, changes, with_widget_values
from comfytui.workflow.convert.remarks import MissingNode, MissingNodesError, Remark
from comfytui.workflow.convert.ui import Drawn, to_ui

__all__ = [
    "Changed",
    "Converted",
    "Drawn",
    "MissingNode",
    "MissingNodesError",
    "Remark",
    "changes",
    "to_api",
    "to_ui",
    "with_widget_values",
]
