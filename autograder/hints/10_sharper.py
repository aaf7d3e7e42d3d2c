"""Hints of assignment 10."""

HINTS: dict[str, tuple[str, str, str]] = {
    "best_picture": (
        "For a single pixel: which number has the smallest expected squared distance to several possible ones?",
        "Differentiate the expected squared error by the pixel and look where the slope is 0.",
        "The weights say how often each picture occurs. They may be counts, so that you divide by their sum.",
    ),
    "conditional_kl": (
        "It is the divergence of assignment 02 with a prior that has a mean and a variance of its own.",
        "Measure everything in units of the prior: the posterior's variance, and the squared distance of the means.",
        "Four terms and a half: a ratio of variances, a distance over the prior's variance, minus the log of that "
        "ratio, minus 1. Equal Gaussians must give 0.",
    ),
    "discriminator_loss": (
        "It is binary cross-entropy with two labels: photos are 1, decoded pictures are 0.",
        "Each side has a mean of its own, and the two are added: a discriminator that does not know scores log 4.",
        "With logits, minus log D is softplus of the negative logit. What is minus log of 1 − D?",
    ),
    "generator_loss": (
        "It is the surprise of the discriminator if it were told that the decoded pictures are photos.",
        "One term of the discriminator's loss, with the label turned round; not the other term with its sign turned.",
        "Look at its slope where the logit is −20: it should be close to −1, and not to 0.",
    ),
    "feature_matching_loss": (
        "Each photo is compared with its own reconstruction, number by number.",
        "Absolute differences, then one mean over everything.",
        "The features of photos are the target. Which call cuts a tensor off from its gradient?",
    ),
    "vae_gan_step": (
        "Draw the codes without gradient, decode once, let the discriminator see photos and pictures, then compute "
        "all five terms before anything moves.",
        "Two losses, two sets of weights: after backward of one of them, in whose gradients did it leave something?",
        "backward takes an argument inputs with the parameters that get gradients; the first of two passes through a "
        "shared graph has to keep it. Both optimizers step at the end.",
    ),
    "high_frequency_share": (
        "torch.fft.fft2 gives an amplitude for each frequency; the energy is its absolute value squared.",
        "torch.fft.fftfreq gives the cycles a pixel along one side; the frequency of a slanted wave is the root of "
        "the sum of both squares.",
        "Add the energies over pictures and channels first, set the one at frequency 0 to 0, then divide what lies "
        "beyond 0.25 by the whole; pictures without contrast have no detail at all.",
    ),
    "posterior_sample_mse": (
        "Truth and draw are two independent draws from the same distribution, the posterior.",
        "The difference of the two has the mean 0. What is the variance of a difference of independent numbers?",
        "The minimal error is the posterior's variance, the error of its mean. How many variances is it now?",
    ),
}
