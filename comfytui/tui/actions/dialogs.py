"""The keys of what is on several screens: dialogs, texts, forms, galleries, lists that narrow while one types."""

from __future__ import annotations

from comfytui.tui.actions.action import Action

HELP = "help"
JUMP = "jump"  # letters on everything that can be gone to
DIALOG = "dialog"  # a dialog in which nothing is typed
TYPING = "typing"  # a dialog in which letters are typed
CONFIRM = "confirm"  # a question
TEXT = "text"  # a text that is scrolled
PICK = "pick"  # a list that narrows while one types
FORM = "form"  # the editors of a workflow's inputs
PROMPT = "prompt"  # a text of several lines, as prompts are
LORAS = "loras"  # the LoRAs of a workflow
SEEDS = "seeds"  # the three words beside a seed
GALLERY = "gallery"  # thumbnails side by side
COMPARE = "compare"  # two jobs side by side
FILES = "files"  # a file of this disk is chosen
OUTPUTS = "outputs"  # the list of what a job made

# Target → how the help and docs/keys.md call it.
TITLES: dict[str, str] = {
    TEXT: "In every text",
    GALLERY: "Among thumbnails",
    HELP: "In the help",
    JUMP: "While jumping",
    DIALOG: "In every dialog",
    CONFIRM: "In a question",
    TYPING: "In a dialog where text is typed",
    PICK: "In a list that narrows while you type",
    FORM: "In the editor of a workflow",
    PROMPT: "In a prompt",
    LORAS: "Among the LoRAs of a workflow",
    SEEDS: "On the mode of a seed",
    COMPARE: "Two jobs side by side",
    FILES: "Choosing a file",
    OUTPUTS: "In the list of a job's outputs",
}


def _quiet(id: str, name: str, keys: str, description: str, where: str, method: str, first: bool = False) -> Action:
    return Action(id, name, keys, description, where, method, footer=False, first=first)


DIALOGS = (
    _quiet("jump.leave", "leave", "escape", "Stay where you were.", JUMP, "leave"),
    _quiet("help.leave", "close", "escape,q,question_mark,f1", "Close the help.", HELP, "leave"),
    _quiet("dialog.leave", "close", "escape,q", "Close it.", DIALOG, "leave"),
    _quiet("dialog.help", "help", "question_mark,f1", "Explain its keys.", DIALOG, "app.help"),
    _quiet("typing.help", "help", "f1", "Explain its keys.", TYPING, "app.help"),
    _quiet("typing.leave", "leave", "escape", "Leave it; nothing is changed.", TYPING, "leave"),
    _quiet("confirm.yes", "yes", "y", "Do it.", CONFIRM, "answer(True)"),
    _quiet("confirm.no", "no", "n", "Do not.", CONFIRM, "answer(False)"),
    _quiet("confirm.chosen", "chosen", "enter", "Give the answer that is marked; at first the safe one.", CONFIRM, "chosen"),
    _quiet("confirm.other", "other", "left,right,up,down,tab,h,j,k,l", "Mark the other answer.", CONFIRM, "other"),
    _quiet("confirm.leave", "leave", "escape,q", "Leave it without an answer: nothing is done.", CONFIRM, "leave"),
    _quiet("confirm.help", "help", "question_mark,f1", "Explain its keys.", CONFIRM, "app.help"),
    _quiet("text.down", "down", "j,down", "Next line.", TEXT, "line(1)"),
    _quiet("text.up", "up", "k,up", "Line before.", TEXT, "line(-1)"),
    _quiet("text.page_down", "page down", "ctrl+d,pagedown,space", "One page down.", TEXT, "page(1)"),
    _quiet("text.page_up", "page up", "ctrl+u,pageup", "One page up.", TEXT, "page(-1)"),
    _quiet("text.top", "top", "g,home", "First line.", TEXT, "edge(-1)"),
    _quiet("text.bottom", "bottom", "G,end", "Last line.", TEXT, "edge(1)"),
    _quiet("text.search", "search", "slash", "Look for words in the text of a dialog.", TEXT, "search"),
    _quiet("text.next", "next", "n", "Next place where they are.", TEXT, "step(1)"),
    _quiet("text.before", "before", "N", "Place before.", TEXT, "step(-1)"),
    _quiet("gallery.left", "left", "h,left", "Picture on the left.", GALLERY, "left"),
    _quiet("gallery.right", "right", "l,right", "Picture on the right.", GALLERY, "right"),
    _quiet("pick.up", "up", "up,ctrl+k", "Line before.", PICK, "move(-1)", True),
    _quiet("pick.down", "down", "down,ctrl+j", "Next line.", PICK, "move(1)", True),
    _quiet("pick.page_up", "page up", "pageup", "Ten lines up.", PICK, "move(-10)", True),
    _quiet("pick.page_down", "page down", "pagedown", "Ten lines down.", PICK, "move(10)", True),
    _quiet("form.enter", "accept", "enter", "Accept; in a text of several lines, begin another line.", FORM, "enter", True),
    _quiet("form.accept", "accept", "f5,ctrl+j,ctrl+enter", "Accept what is typed.", FORM, "accept", True),
    _quiet("form.before", "field before", "up", "Field before.", FORM, "app.focus_previous"),
    _quiet("form.next", "next field", "down", "Next field.", FORM, "app.focus_next"),
    # shift too: some terminals, and tmux, keep ctrl with an arrow for themselves.
    _quiet("form.more", "more", "ctrl+up,shift+up", "A step more, or the choice before.", FORM, "step(1)"),
    _quiet("form.less", "less", "ctrl+down,shift+down", "A step less, or the next choice.", FORM, "step(-1)"),
    _quiet("form.much_more", "much more", "pageup", "Ten steps more.", FORM, "step(10)"),
    _quiet("form.much_less", "much less", "pagedown", "Ten steps less.", FORM, "step(-10)"),
    _quiet("prompt.more", "more weight", "ctrl+up,alt+up", "Weigh the word at the cursor, or the selection, more.", PROMPT, "weigh(1)"),
    _quiet("prompt.less", "less weight", "ctrl+down,alt+down", "Weigh it less.", PROMPT, "weigh(-1)"),
    _quiet("prompt.complete", "complete", "ctrl+@,alt+i", "Pick an embedding of the server or a wildcard file; ctrl+@ is ctrl+space.", PROMPT, "complete"),
    _quiet("loras.more", "more", "right,plus,equals_sign", "A step stronger.", LORAS, "weigh(1)"),
    _quiet("loras.less", "less", "left,minus", "A step weaker.", LORAS, "weigh(-1)"),
    _quiet("loras.add", "add", "a", "Add one of the server's LoRAs after the others.", LORAS, "add"),
    _quiet("loras.remove", "delete", "x", "Take it out; its users get what it got.", LORAS, "remove"),
    _quiet("seeds.before", "before", "left,h", "Mode before.", SEEDS, "move(-1)"),
    _quiet("seeds.next", "next", "right,l,space,enter", "Next mode.", SEEDS, "move(1)"),
    _quiet("seeds.field_before", "field before", "up,k", "Field before.", SEEDS, "app.focus_previous"),
    _quiet("seeds.field_next", "next field", "down,j", "Next field.", SEEDS, "app.focus_next"),
    _quiet("compare.leave", "close", "escape,q,c", "Close it.", COMPARE, "leave"),
    _quiet("compare.help", "help", "question_mark,f1", "Explain its keys.", COMPARE, "app.help"),
    _quiet("compare.view", "view", "v", "Pictures and differences, or one of them alone.", COMPARE, "view"),
    _quiet("compare.next", "next pictures", "right_square_bracket", "Next pictures.", COMPARE, "picture(1)"),
    _quiet("compare.before", "pictures before", "left_square_bracket", "Pictures before.", COMPARE, "picture(-1)"),
    _quiet("compare.swap", "swap", "x", "Let the two change sides.", COMPARE, "swap"),
    _quiet("compare.copy", "copy", "y", "Copy the differences.", COMPARE, "copy"),
    _quiet("files.complete", "complete", "tab", "Complete what is typed.", FILES, "complete", True),
    _quiet("outputs.save", "save", "s", "Save what is marked, or the selected one.", OUTPUTS, "save"),
    _quiet("outputs.filter", "filter", "slash", "Show only those with these words.", OUTPUTS, "filter"),
    _quiet("outputs.copy", "copy", "y", "Copy the names, or the text.", OUTPUTS, "copy"),
)  # fmt: skip
