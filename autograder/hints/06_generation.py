"""Hints of assignment 06."""

HINTS: dict[str, tuple[str, str, str]] = {
    "reconstruct": (
        "Encode and then decode. What of the two things that encode returns is decoded?",
        "A picture to look at should be the same each time.",
        "So no noise is drawn; and no gradient is needed.",
    ),
    "generate": (
        "The encoder has no part in it.",
        "The codes come from the prior: which distribution is that, and of which shape?",
        "One row of latent_dim numbers for each image, drawn with the generator that is passed in.",
    ),
    "lerp": (
        "At t = 0 you should be at a, at t = 1 at b.",
        "A weighted sum whose weights add up to 1.",
        "The weight of b is t.",
    ),
    "squared_norm_on_line": (
        "Write the point as a weighted sum of two independent codes, and square one of its numbers.",
        "The mean of the square of a number from N(0, 1) is 1; that of a product of two independent ones is 0.",
        "Each weight squared, added up, for every one of the L numbers.",
    ),
    "slerp": (
        "Draw two arrows from the origin and the arc between their tips. What is the angle between them?",
        "The cosine of the angle comes from the dot product of the arrows brought to length 1; the weights are sines.",
        "Each weight is the sine of a share of the angle over that of the whole. Where this is 0, the arc is a line.",
    ),
    "interpolate": (
        "The way leads through codes, not through pixels.",
        "Encode both images to their means, walk num_steps places between them, both ends included, decode all.",
        "Which walk is taken is said by method; both are functions of this notebook.",
    ),
    "largest_information": (
        "If the code gave the image away completely, how surprised would you be by the answer?",
        "N images, all equally likely: what is the entropy of that, in nats?",
        "A coin has two sides and log 2 nats. How many sides are there here?",
    ),
    "log_aggregated_posterior": (
        "For one code, how likely does each of the N images make it? Start with that list of N numbers.",
        "The mean of N densities, then the log. You have their logs only, and some of them are far below −1000.",
        "All pairs have shape (B, N): let z gain an axis in the middle. Then logsumexp over the images; what does a "
        "mean have that a sum has not?",
    ),
}
