from comfy.utils import no_such_name  # noqa: F401
