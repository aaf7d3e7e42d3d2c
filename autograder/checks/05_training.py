"""Checks of assignment 05, training.

Nothing here is left to chance: the models draw the same noise in every call (``toys.Predictable``) and the optimizer
is plain gradient descent, so that the change of a weight is its gradient times the learning rate. The oracle takes no
step of the usual kind: it differentiates the bound of ``torch.distributions`` in double precision and moves the weights
by hand. All results must agree to a part in 10,000, and a right answer is off by float32 rounding alone; no check can
fail by bad luck. Checkpoints are of models with noise and an optimizer with memory: going on exactly needs both.
"""

from __future__ import annotations

from autograder.checks.training.checkpoints import LOAD_CHECKPOINT, SAVE_CHECKPOINT
from autograder.checks.training.evaluate import EVALUATE
from autograder.checks.training.fit import FIT
from autograder.checks.training.implied_sigma import IMPLIED_SIGMA, SAME_MODEL
from autograder.checks.training.kl_weight import KL_WEIGHT
from autograder.checks.training.train_step import TRAIN_STEP

CHECKS = (IMPLIED_SIGMA, SAME_MODEL, KL_WEIGHT, TRAIN_STEP, EVALUATE, FIT, SAVE_CHECKPOINT, LOAD_CHECKPOINT)
