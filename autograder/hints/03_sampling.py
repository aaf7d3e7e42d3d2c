"""Hints of assignment 03."""

HINTS: dict[str, tuple[str, str, str]] = {
    "reparameterize": (
        "A standard normal number becomes any other normal number by a scale and a shift.",
        "Noise of the shape of mu, from the generator that is passed in; everything else is plain arithmetic.",
        "The scale is a standard deviation, and logvar is the logarithm of its square.",
    ),
    "gradient_after_detach": (
        "Follow each term of the loss back to mu and logvar. Which of them passes through z?",
        "The price of the code is computed from mu and logvar by a formula. Does z occur in it?",
        "What is left pulls every code towards the prior, and nothing pulls the other way.",
    ),
    "pathwise_gradient": (
        "The sample moves with mu. By how much, if mu moves by one?",
        "Draw num_samples codes, let autograd differentiate f at each of them, and return the rows as they are.",
        "The values of f do not mix the rows, so the gradient of their sum with respect to the codes holds one "
        "estimate in each row. The codes must want a gradient before f sees them: z.requires_grad_().",
    ),
    "score_function_gradient": (
        "Here f is a black box: only its values count, and no gradient passes through it.",
        "Each value of f weights the derivative of log q with respect to mu, at the same sample.",
        "For a Gaussian that derivative is the distance from the mean, divided by the variance.",
    ),
    "variance_ratio": (
        "Write z as mu plus sigma times noise in both estimates; then they are polynomials in the noise.",
        "Pathwise: 2 (d + σε), whose variance is easy. Score function: (d + σε)² ε / σ, multiplied out and squared.",
        "Odd powers of the noise have mean 0; the second, fourth and sixth have 1, 3 and 15. Subtract the square of "
        "the mean, which is 2d for both.",
    ),
    "draw_exponential": (
        "The distribution function turns a draw into a uniform number. What turns a uniform number into a draw?",
        "Set u equal to 1 minus the exponential of minus rate times z, and solve for z.",
        "Uniform noise of the shape and type of the rate, a logarithm, a minus, and a division.",
    ),
}
