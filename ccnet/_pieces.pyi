from collections.abc import Callable

class Model: ...

def load(pieces: list[tuple[str, float]], unknown_score: float, normalize: Callable[[str], str], inert: bytes) -> Model:
    """`inert`: a byte for each code point below 65536, 1 where normalisation leaves it as it is."""

def encode(model: Model, text: str) -> tuple[bytes, int] | None:
    """The pieces parted by spaces and how many they are; None where SentencePiece must be asked."""
