"""The one error of workflow documents: what is wrong, where, and what to do."""

from __future__ import annotations


class WorkflowError(ValueError):
    """A workflow cannot be read, changed or written.

    `problem` says what is wrong, `name` which document, `place` where in it (a line, a node, an input), `fix` what
    the user can do. All may hold text from the document: whoever shows them cleans them first.
    """

    def __init__(self, problem: str, *, name: str = "", place: str = "", fix: str = "") -> None:
        self.problem = problem
        self.name = name
        self.place = place
        self.fix = fix
        where = ", ".join(part for part in (name, place) if part)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}. {fix}" if fix else text)

    def named(self, name: str) -> WorkflowError:
        """The same error, with the document's name."""
        return WorkflowError(self.problem, name=name, place=self.place, fix=self.fix)
