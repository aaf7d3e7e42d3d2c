"""Hints of assignment 09."""

HINTS: dict[str, tuple[str, str, str]] = {
    "log_weights": (
        "Three log densities of the same sample, for each image and each sample.",
        "Two of them are added, and the one that the sample was drawn from is taken off.",
        "Samples stand on the first axis, images on the second. No closed form of the divergence has a place here.",
    ),
    "iwae_bound": (
        "The mean is taken of the weights, and the logarithm afterwards. But the weights themselves do not fit into a "
        "float.",
        "There is a function that takes the logarithm of a sum of exponentials without leaving the logarithm.",
        "A mean is a sum over K; what does dividing by K become under a logarithm?",
    ),
    "bits_per_dim": (
        "A log-likelihood in nats becomes bits when it is divided by log 2, and a cost when its sign is turned.",
        "A density on [0, 1] is not yet a probability of one of 256 grey levels.",
        "How many bits is a grey level worth under the uniform density? That much is added to each dimension.",
    ),
    "beta_from_sigma": (
        "Write down the negative bound with σ in it and bring the squared error to the factor ½.",
        "What the whole was multiplied with to get there now stands before the divergence.",
        "Check: σ = 1 must give the weight 1.",
    ),
    "colour_log_likelihood": (
        "Every pixel is one Gaussian vector of three numbers, with the same covariance.",
        "For each pixel a quadratic form of its residual with the inverse, the log determinant and a constant.",
        "The last two count once for each pixel, and the sum runs over pixels; images stay apart.",
    ),
}
