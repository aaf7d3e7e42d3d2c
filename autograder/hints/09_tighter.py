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
    "encoder_signal": (
        "Where does the bound arrive as K grows, and how much does that place depend on the encoder?",
        "A gradient that vanishes has to be told from noise. Which of the two shrinks faster, the mean or its spread?",
        "With the exact posterior every weight is the same. What is the gradient of the bound for the encoder then?",
    ),
    "dequantise": (
        "The level k of a pixel is 255 x. Its interval reaches from k / 256 to (k + 1) / 256.",
        "One uniform number from 0 to 1 for each number of the batch, from the generator that is passed in.",
        "Levels plus noise first, division by 256 last; the dtype of the noise is that of x.",
    ),
    "bits_per_dim": (
        "A log-likelihood in nats becomes bits when it is divided by log 2, and a cost when its sign is turned.",
        "A density on [0, 1] is not yet a probability of one of 256 grey levels.",
        "How many bits is a grey level worth under the uniform density? That much is added to each dimension.",
    ),
    "file_bits_per_dim": (
        "How many numbers does a colour picture hold?",
        "A file is counted in bytes, and its bits are true bits: no logarithm is left to take.",
        "Check: 12,288 bytes for 64×64 pixels are one byte, or 8 bits, a number.",
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
    "adapt_log_beta": (
        "Should the weight of the KL term rise or fall when the code says more than it promised?",
        "The error is a logarithm of a quotient, so that twice too much and half too little count alike.",
        "Cut the error to the range from −1 to 1, then take a twentieth of it. A KL of 0 has no logarithm: keep it "
        "above some tiny number.",
    ),
}
