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
}
