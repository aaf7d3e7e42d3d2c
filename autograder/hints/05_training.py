"""Hints of assignment 05."""

HINTS: dict[str, tuple[str, str, str]] = {
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
}
