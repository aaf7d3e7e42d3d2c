"""Hints of assignment 03."""

HINTS: dict[str, tuple[str, str, str]] = {
    "reparameterize": (
        "A standard normal number becomes any other normal number by a scale and a shift.",
        "Noise of the shape of mu, from the generator that is passed in; everything else is plain arithmetic.",
        "The scale is a standard deviation, and logvar is the logarithm of its square.",
    ),
    "pathwise_gradient": (
        "The sample moves with mu. By how much, if mu moves by one?",
        "Draw num_samples codes, let autograd differentiate f at each of them, and return the rows as they are.",
        "The values of f do not mix the rows, so the gradient of their sum with respect to the codes holds one "
        "estimate in each row.",
    ),
    "score_function_gradient": (
        "Here f is a black box: only its values count, and no gradient passes through it.",
        "Each value of f weights the derivative of log q with respect to mu, at the same sample.",
        "For a Gaussian that derivative is the distance from the mean, divided by the variance.",
    ),
}
