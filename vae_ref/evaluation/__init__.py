"""What a trained model is worth on images it has not seen.

``core`` holds the numbers that every model gets, ``full`` all the others; this module offers the first.
"""

from vae_ref.evaluation.core import Evaluation, SwapProbe, calibrate, evaluate_model
from vae_ref.evaluation.pictures import psnr, ssim
from vae_ref.tighter import dequantise, to_middle

__all__ = [
    "Evaluation",
    "SwapProbe",
    "calibrate",
    "dequantise",
    "evaluate_model",
    "psnr",
    "ssim",
    "to_middle",
]
