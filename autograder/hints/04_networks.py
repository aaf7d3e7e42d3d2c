"""Hints of assignment 04."""

HINTS: dict[str, tuple[str, str, str]] = {
    "Encoder": (
        "Start from the shapes: what has each layer to turn (B, 3, 64, 64) into, until (B, L) is left?",
        "Convolutions with strides halve the side; flatten keeps the batch axis; two linear heads read the same "
        "features.",
        "Neither head ends in an activation: a mean may be negative, and a log variance too.",
    ),
    "Decoder": (
        "Run the shapes backwards: from L numbers to a small grid of channels, then larger step by step.",
        "A linear layer and an unflatten make the grid; transposed convolutions or a pixel shuffle make it larger.",
        "The last thing that happens to a pixel has to bring any number into [0, 1], and not only cut it off.",
    ),
    "VAE": (
        "encode and decode are one line each; forward is where they meet.",
        "What is decoded is a sample of the code, not its mean, and chapter 03 has written the function for it.",
        "Pass the generator on, and return reconstruction, mean and log variance in this order.",
    ),
}
