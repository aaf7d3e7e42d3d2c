"""Hints of assignment 05."""

HINTS: dict[str, tuple[str, str, str]] = {
    "implied_sigma": (
        "Only the ratio of the two weights matters: divide the loss so that the KL stands alone.",
        "Beside a KL of weight one the likelihood of chapter 02 puts a factor before the squared error. Which one?",
        "The factor is one over twice the variance; set it equal to the ratio of the weights, and solve for σ.",
    ),
    "same_model": (
        "A factor before the whole loss changes no minimum; a factor before one term does.",
        "Write each as a number times the sum of squared errors plus a number times the KL, and divide by the second.",
        "Your implied_sigma of these two numbers says it: the same σ, the same model. Mind the ½ of the likelihood.",
    ),
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
    "save_checkpoint": (
        "What does the next step read? All of that has to be in the file.",
        "Model and optimizer each have a state_dict, and torch knows the state of its random numbers.",
        "Write to another name in the same folder, and when the file is complete let os.replace put it in its place.",
    ),
    "load_checkpoint": (
        "The reverse of what you have just written: every entry goes back to where it came from.",
        "Both state dictionaries have a partner that loads them, and so has the state of the random numbers.",
        "Read with weights_only, fill the objects you were given instead of making new ones, and return the step.",
    ),
}
