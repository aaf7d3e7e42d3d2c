"""Checks of assignment 01, the data.

Pictures are compared with what torchvision makes of them, within a few grey levels: whole pixels may be rounded one way
or the other, and any filter that averages will do. Only ``augment`` is random. What it does to 2,048 images is looked
at one by one, and its coin and its factor are judged by means that may be 7.5 standard errors away: each of the four
goes beyond in less than one of 10¹² runs.
"""

from __future__ import annotations

from autograder.checks.dogs.augment import AUGMENT
from autograder.checks.dogs.crop_and_resize import CROP_AND_RESIZE
from autograder.checks.dogs.make_batch import MAKE_BATCH
from autograder.checks.dogs.scale_box import SCALE_BOX
from autograder.checks.dogs.seconds_saved import SECONDS_SAVED
from autograder.checks.dogs.unit_interval import CHANGE_OF_SCALE, TO_UNIT_INTERVAL

CHECKS = (
    SCALE_BOX,
    CROP_AND_RESIZE,
    TO_UNIT_INTERVAL,
    CHANGE_OF_SCALE,
    AUGMENT,
    MAKE_BATCH,
    SECONDS_SAVED,
)
