"""Hints of assignment 08."""

HINTS: dict[str, tuple[str, str, str]] = {
    "uses_latent": (
        "Let the model look at the images, then decode each image's code and then each neighbour's, without noise.",
        "If pictures belong to codes, swapping the codes swaps the pictures exactly. And pictures that never change "
        "pass that test too, so ask for a second thing.",
        "For the third thing set the same seed before draw and before the whole model: the code of the first, decoded, "
        "must give the picture of the second.",
    ),
    "vital_signs": (
        "Enter evaluation mode and switch gradients off; examined does the first and puts everything back.",
        "Encode once, reconstruct twice. All six numbers come from these three results.",
        "For the number of active codes and for reconstructions, chapters 7 and 6 have functions that you may import.",
    ),
    "sampler_spread": (
        "Only model.draw is under suspicion: call it many times and believe the mu and logvar that it returns.",
        "Subtract the mean from each code and divide by the standard deviation that the KL is charged for. A healthy "
        "result looks like standard normal noise.",
        "The root mean square is the root of the mean of the squares, over everything at once. Leave the mode alone.",
    ),
    "gradient_reach": (
        "Only the reconstruction error, without the KL: the KL has a way to the encoder of its own.",
        "Ask torch.autograd.grad for the gradients at mu and logvar themselves, and allow them to be unused.",
        "What comes back may be None, and mu may not ask for a gradient at all. In both cases nothing arrives, and "
        "nothing has the norm 0.",
    ),
    "price_of_a_nat": (
        "At the minimum of error + β KL the slope along logvar is 0, so β is a ratio of two slopes with a minus sign.",
        "Both slopes come from torch.autograd.grad with respect to logvar, summed over everything before you divide.",
        "The error is the negative log likelihood with the σ that fits best; allow it not to depend on logvar, for "
        "then it has the slope 0.",
    ),
    "surviving_units": (
        "The chapter says when a latent of the linear model has a length of 0. Which two numbers are compared?",
        "A variance has the unit of a squared pixel; so has the limit.",
        "The weight of the KL multiplies the limit: a dearer code keeps fewer latents.",
    ),
    "diagnose": (
        "Read the ward's table a column at a time: which signs does a single bed show, and which do several share?",
        "A silent code has no gradient, no sign and no use, whatever made it silent. So ask about silence before all "
        "of these, and about the price at the very end.",
        "Two things silence a code. With one of them the loss is far lower than the pictures deserve: see the bound.",
    ),
    "Donor": (
        "Each method is short: two of them only call a network, and two are what you wrote in chapters 3 and 5.",
        "Build on the patient's own other methods: draw asks self for encode, the loss asks self for the whole pass.",
        "What the KL assumes of the noise is what draw has to do, with gradients. The loss is the negative bound, "
        "reduced over the images in one place.",
    ),
    "free_bits_kl": (
        "First the KL of every latent of every image by itself, (B, L): no sum yet.",
        "Two reductions follow, and the floor belongs between them. Which of the two comes first?",
        "The floor is compared with the mean over the images of each latent; the latents are summed at the end.",
    ),
}
