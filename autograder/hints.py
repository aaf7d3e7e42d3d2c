"""Three hints for each thing to write: where to look, how to go about it, what the pieces are. None is the answer."""

from __future__ import annotations

LEVELS = 3

HINTS: dict[str, tuple[str, str, str]] = {
    # ---- 02
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
    # ---- 03
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
    # ---- 04
    "Encoder": (
        "Start from the shapes: what has each layer to turn (B, 3, 64, 64) into, until (B, L) is left?",
        "Convolutions with strides halve the side; flatten keeps the batch axis; two linear heads read the same "
        "features.",
        "Neither head ends in an activation: a mean may be negative, and a log variance too.",
    ),
    "Decoder": (
        "Run the shapes backwards: from L numbers to a small grid of channels, then larger step by step.",
        "A linear layer and an unflatten make the grid; transposed convolutions or a pixel shuffle make it larger.",
        "The last thing that happens to a pixel has to bring any number into [0, 1], and not only cut it off.",
    ),
    "VAE": (
        "encode and decode are one line each; forward is where they meet.",
        "What is decoded is a sample of the code, not its mean, and chapter 03 has written the function for it.",
        "Pass the generator on, and return reconstruction, mean and log variance in this order.",
    ),
    # ---- 05
    "kl_weight": (
        "A straight line and a ceiling.",
        "At step 0 nothing, at step warmup_steps all of it, and no more after that.",
        "And without a warm-up there is nothing to divide by: what should the weight be then?",
    ),
    "train_step": (
        "Forward, loss, clear gradients, backward, step: in which order did your code do these five?",
        "Both terms are per image. Where is the one place in which the batch is averaged?",
        "β weights the divergence in the loss, and only there; σ is the one that suits this batch best, from chapter "
        "02. Report plain numbers from before the step.",
    ),
    "evaluate": (
        "If the last batch holds one image, how much should that image count?",
        "Add up sums over images and divide once at the end; one σ for all images is computed from all of them.",
        "The model is to be in evaluation mode meanwhile, without gradients, and afterwards in the mode it was in.",
    ),
    "fit": (
        "Two loops: one over epochs, one over batches. What does each of them own?",
        "The warm-up counts steps, from the first one of the first epoch, and never starts again.",
        "A row of the history is a mean over the images of its epoch, so a short batch weighs less.",
    ),
    # ---- 06
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
    # ---- 07
    "encode_dataset": (
        "Collect over all batches; the last one may be short.",
        "Means, not samples: the same image should have the same place each time.",
        "Put the lists together along the batch axis, codes and labels in the same order.",
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
    "active_units": (
        "A unit that says nothing has the same mean for every image.",
        "The variance over images, one number for each latent dimension.",
        "Count those above the threshold, and return a plain number.",
    ),
    # ---- 09
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
