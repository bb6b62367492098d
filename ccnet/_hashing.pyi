from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def hash_lines(texts: Sequence[str], table: NDArray[np.uint32], plainly: bool = False) -> bytes:
    """uint64 of every line of all texts (a list); `plainly`: without the processor's instructions for SHA-1."""
