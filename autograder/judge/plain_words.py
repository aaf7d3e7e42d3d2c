"""What the errors of torch mean that learners meet most often, in one sentence each."""

from __future__ import annotations

import re

MEANINGS = (
    (
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)|not broadcastable",
        "Two tensors of different sizes were combined: print the shape of both, and see which dimension one lacks.",
    ),
    (
        r"mat1 and mat2 shapes cannot be multiplied|Expected size for first two dimensions of batch",
        "In a product of matrices the columns of the first must be as many as the rows of the second; for a layer: its "
        "in_features must be the last dimension of what it gets.",
    ),
    (
        r"expected input\[.*\] to have \d+ channels",
        "A convolution got another number of channels than it was made for; pictures are (B, 3, H, W).",
    ),
    (
        r"does not require grad and does not have a grad_fn|does not require grad$",
        "The number that is differentiated has no way back to what it should be differentiated by: look for detach, "
        "no_grad, .item() or a tensor that lacks requires_grad.",
    ),
    (
        r"appears to not have been used in the graph|differentiated Tensors .* unused",
        "The result does not depend on the tensor it is differentiated by: look for a copy or a detach on the way.",
    ),
    (
        r"modified by an inplace operation|leaf Variable that requires grad is being used in an in-place",
        "A tensor that the gradient still needs was changed in place (+=, *=, methods ending in _): make a new one.",
    ),
    (
        r"backward through the graph a second time",
        "One graph was differentiated twice: compute the loss anew for each step.",
    ),
    (
        r"Can't call numpy\(\) on Tensor that requires grad",
        "numpy cannot follow gradients: stay with functions of torch.",
    ),
    (
        r"Boolean value of Tensor with more than one value is ambiguous",
        "A whole tensor stands where a single yes or no is needed, as in if, and, max: use torch.where or clamp.",
    ),
    (
        r"grad can be implicitly created only for scalar outputs",
        "Only a single number can be differentiated: take the sum or the mean first.",
    ),
    (
        r"must be Tensor, not (float|int)",
        "A plain number stands where a function of torch wants a tensor: take the function from math.",
    ),
    (
        r"expected scalar type|have the same dtype|should be the same$",
        "Tensors of different number types meet: make new ones with dtype=x.dtype.",
    ),
    (
        r"only integer tensors of a single element can be converted to an index",
        "A tensor stands where a whole number is needed: use int(...) or the number itself.",
    ),
    (
        r"shape '.*' is invalid for input of size",
        "view and reshape keep the number of elements: the product of the new sizes must be that of the old ones.",
    ),
)


def meaning_of(message: str) -> str:
    """What to make of an error's message, with a space in front; empty if it speaks for itself.

    Args:
        message: of the exception.
    """
    return next((f" {meaning}" for pattern, meaning in MEANINGS if re.search(pattern, message)), "")
