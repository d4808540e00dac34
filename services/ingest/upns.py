"""UPNs of a whole register checked at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from libs.common.identifiers import LETTERS, UPN_LENGTH, fault_of

_WEIGHTS = np.arange(2, 14, dtype=np.int32)
_LETTER_VALUES = np.full(256, 99, np.int32)
_LETTER_VALUES[np.frombuffer(LETTERS.encode(), np.uint8)] = np.arange(len(LETTERS))


def well_formed(upns: Sequence[str]) -> NDArray[np.bool_]:
    """Say of each UPN whether its form and its check letter are right, bool, shape (len(upns),).

    Vectorised over a register: one fault sends only the faulty ones the slow way.
    """
    joined = "".join(upns)
    if set(map(len, upns)) != {UPN_LENGTH} or not joined.isascii():
        return np.array([fault_of(upn) is None for upn in upns], np.bool_)
    text = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(-1, UPN_LENGTH)
    middle = text[:, 1:12]
    last = text[:, 12]
    digits = (middle - 48 < 10).all(axis=1)  # uint8 wraps below "0"
    last_is_digit = last - 48 < 10
    last_value = np.where(last_is_digit, last.astype(np.int32) - 48, _LETTER_VALUES[last])
    total = (middle.astype(np.int32) - 48) @ _WEIGHTS[:11] + last_value * _WEIGHTS[11]
    right: NDArray[np.bool_] = (
        digits & (last_value < 99) & (_LETTER_VALUES[text[:, 0]] == total % len(LETTERS))
    )
    return right
