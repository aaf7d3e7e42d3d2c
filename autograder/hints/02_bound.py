"""Hints of assignment 02."""

HINTS: dict[str, tuple[str, str, str]] = {
    "log_normal": (
        "Write the density of one number under a Gaussian on paper first, then take its logarithm.",
        "The coordinates are independent, so their log densities add up. Which axis do they stand on?",
        "Three terms for each coordinate, all with the factor −½: a constant, logvar, and a squared distance measured "
        "in variances. The variance is the exponential of logvar.",
    ),
    "kl_divergence": (
        "What must come out for mu = 0 and logvar = 0, where both distributions are the same? Try that first.",
        "Four terms for each latent dimension; then the dimensions of one image add up, and the images stay apart.",
        "Half of: the square of the mean, plus the variance, minus the log variance, minus one.",
    ),
    "kl_monte_carlo": (
        "A divergence is an expectation. Of which difference, and under which of the two distributions?",
        "Draw all samples at once with one more axis in front, evaluate both log densities, average over that axis.",
        "Codes are mu plus standard deviation times noise from the generator; then log q minus log p, where p has mean "
        "0 and log variance 0. log_normal is yours already.",
    ),
    "reconstruction_log_likelihood": (
        "Every pixel value is one Gaussian number around its reconstruction. How many of them has an image?",
        "Sum over all axes but the first; the constant belongs to every pixel value, not to the image once.",
        "The squared error of an image over 2σ², and for each of its values log σ and half of log 2π; all of it "
        "negative.",
    ),
    "elbo": (
        "Two functions of this notebook are all it takes.",
        "Which of the two is a reward and which is a price? Both are per image already.",
        "The weight β belongs to the price only, and nothing is averaged here.",
    ),
}
