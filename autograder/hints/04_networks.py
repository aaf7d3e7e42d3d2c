"""Hints of assignment 04."""

HINTS: dict[str, tuple[str, str, str]] = {
    "conv_output_side": (
        "Draw a row of pixels on paper and push a kernel along it. How many places can it stop at?",
        "Padding makes the row longer at both ends. The first place is free; each further one costs a stride.",
        "From the padded side take away one kernel, see how many whole strides fit into what is left, and add one.",
    ),
    "receptive_field": (
        "Before any layer a place sees one pixel. What does a kernel of 3 behind a stride of 2 see?",
        "Walk from the first layer to the last with two numbers: the field so far, and how many pixels lie between "
        "neighbouring places.",
        "A layer adds its kernel less one, each of them as wide as the distance so far; only then does its own stride "
        "multiply the distance.",
    ),
    "conv_parameters": (
        "How many numbers make one place of one channel of the result?",
        "A square of pixels in each channel that goes in, and one bias on top if there are biases.",
        "Count what one channel of the result needs, then multiply by how many channels there are.",
    ),
    "mixing_layer": (
        "Over which axes does each of the four take its mean and spread, if it takes any?",
        "Try it: make the layer, call it in training mode on a batch, then on the first image alone, and compare.",
        "One of the four computes differently after eval, because it then uses what it remembered of earlier batches.",
    ),
    "Encoder": (
        "Start from the shapes: what has each layer to turn (B, 3, 64, 64) into, until (B, L) is left?",
        "Convolutions with strides halve the side; flatten keeps the batch axis; two linear heads read the same "
        "features.",
        "Neither head ends in an activation: a mean may be negative, and a log variance too.",
    ),
    "coverage": (
        "Draw three inputs, and under each the kernel that it writes. Where do the kernels overlap?",
        "Input number i starts to write at place i times stride, and writes as many places as the kernel has.",
        "Begin with a list of zeros in which the last kernel just ends, and add one wherever an input writes.",
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
