"""Pure: how many children a figure must rest on, so that it tells of none of them."""

CHILDREN_MIN = 5
"""A figure on fewer, but some, is not told."""


def is_enough(children: int) -> bool:
    """Whether a figure on so many children, or on none, may be told."""
    return children == 0 or children >= CHILDREN_MIN
