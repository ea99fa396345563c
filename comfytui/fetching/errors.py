"""What can go wrong when a model is fetched."""


class FetchError(Exception):
    """A model was not fetched; the message names it, why, and what to do. What had come is kept, and gone on with."""
