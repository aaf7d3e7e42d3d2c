"""Hints of assignment 01."""

HINTS: dict[str, tuple[str, str, str]] = {
    "scale_box": (
        "A point in the middle of the original is in the middle of the copy. Where is one at a third of its width?",
        "Each axis has a ratio of its own: actual over annotated.",
        "The first and third number of the box belong to the widths, the second and fourth to the heights.",
    ),
    "crop_and_resize": (
        "Do it in the order of the text: convert, clip, cut, resize, cut out the middle, turn into a tensor. Look at "
        "the picture after each step.",
        "PIL pictures have the methods convert, crop and resize. For the last step, numpy reads a picture as height, "
        "width, channels.",
        "Clip with the largest of 0 and the corner, and the smallest of the side and the corner. The new sides are the "
        "old ones times size over the shorter of them. The middle square starts at half of what is left over.",
    ),
    "to_unit_interval": (
        "The smallest byte has to become 0 and the largest 1. Which byte is the largest?",
        "Convert to floating point first; then the division is an ordinary one.",
        "No mean, no maximum of the batch: one fixed number for all pictures of the world.",
    ),
    "change_of_scale": (
        "A density is probability per volume. What happens to the volume of a cube when its sides double?",
        "For one number the density is divided by the scale. What does that do to its logarithm, and for many numbers?",
        "Number of dimensions, logarithm of the scale, and a sign.",
    ),
    "augment": (
        "Draw one random number for each image for the coin, and another for the light. Which shape lets them act on "
        "whole images?",
        "A tensor of shape (B, 1, 1, 1) broadcasts over an image. Look up where, flip, rand and clamp in torch.",
        "Where the coin is below one half take the image flipped along its last axis, else the image; then times a "
        "number between 0.8 and 1.2, then clipped.",
    ),
    "make_batch": (
        "Both functions that it takes are above.",
        "Scaling happens always; the other thing only if training is true.",
        "Pass the generator on, and augment after scaling: it clips to the unit interval.",
    ),
    "seconds_saved": (
        "Write down the seconds of the whole run twice: once for decoding each time, once for the stored squares.",
        "The stored squares cost one decoding before the run, and one reading for each image in each epoch.",
        "Take the difference of the two sums, and do not mind if it is negative for a single epoch.",
    ),
}
