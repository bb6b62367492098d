from typing import Any

import numpy as np
from numpy.typing import NDArray

class Model: ...

def load(
    words: bytes,
    ends: NDArray[np.int64],
    rows: NDArray[np.float32],
    dim: int,
    min_n: int,
    max_n: int,
    word_count: int,
    buckets: int,
    pruned: bool,
    pairs: NDArray[np.int32],
    /,
) -> Model: ...
def hidden(model: Model, texts: list[bytes], out: NDArray[Any], /) -> None: ...
