"""Hints of assignment 07."""

HINTS: dict[str, tuple[str, str, str]] = {
    "encode_dataset": (
        "Collect over all batches; the last one may be short.",
        "Means, not samples: the same image should have the same place each time.",
        "Put the lists together along the batch axis, codes and labels in the same order.",
    ),
    "principal_components": (
        "What has to be taken off the codes before their directions mean anything?",
        "The singular value decomposition of the centred codes holds all three results.",
        "The squares of the singular values are the variances, up to a factor; a share is one of them over the sum of "
        "all, also of those that are not returned.",
    ),
    "traverse": (
        "The same code many times, but for one number.",
        "Set that number; nothing is added to it, and the code that was passed in stays as it was.",
        "Repeat z to V rows, write the values into one column, decode.",
    ),
    "active_units": (
        "A unit that says nothing has the same mean for every image.",
        "The variance over images, one number for each latent dimension.",
        "Count those above the threshold, and return a plain number.",
    ),
}
