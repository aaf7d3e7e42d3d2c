"""Hints of assignment 07."""

HINTS: dict[str, tuple[str, str, str]] = {
    "encode_dataset": (
        "Collect over all batches; the last one may be short.",
        "Means, not samples: the same image should have the same place each time.",
        "Put the lists together along the batch axis, codes and labels in the same order.",
    ),
    "active_units": (
        "A unit that says nothing has the same mean for every image.",
        "The variance over images, one number for each latent dimension.",
        "Count those above the threshold, and return a plain number.",
    ),
    "share_of_isotropic": (
        "Picture a ball of points that looks alike from all sides. Which direction does PCA prefer?",
        "With many codes, all L variances are equal.",
        "K equal parts out of L.",
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
    "linear_probe_r2": (
        "Two sides: weights and a constant are found on one of them, the score on the other.",
        "Least squares needs a constant: a column of ones beside the codes, or means taken off first.",
        "One minus squared errors over squared distances of the test targets from their own mean.",
    ),
    "sap_score": (
        "Make a table with a row for each latent and a column for each factor. What stands in it?",
        "The R² of a line through one latent is the squared correlation; a latent that never varies has 0.",
        "In each column the largest minus the second largest number; then the mean over the columns.",
    ),
    "what_a_rotation_changes": (
        "Draw z from N(0, I) and turn it. Which distribution has the result?",
        "If the decoder first turns back, which picture comes out of a turned code?",
        "Pictures are one thing. Now look at a single number of the turned code: of how many old ones is it made?",
    ),
}
