"""Chapter 10, the losses of an adversarial game: the discriminator learns to tell photos from decoded
pictures, and the decoder learns from what gives its pictures away.

A logit is log D / (1 − D), where D is the discriminator's probability that a picture is a photo. A
discriminator that judges patches has a logit for each of them; every patch of every image counts the same.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from vae_ref.inputs import require_float


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy of the discriminator: photos should be called real, decoded pictures fake.

    Args:
        real_logits: for photos, any shape.
        fake_logits: for decoded pictures, any shape.

    Returns:
        The loss in nats, (): log 4 for a discriminator that does not know, 0 for one that is never wrong.
        At its best, D = p / (p + q), it is log 4 − 2 JSD(p, q).

    Raises:
        TypeError, ValueError: not floating point, or no logit.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), eq. 1.
    """
    _require_some(real_logits=real_logits, fake_logits=fake_logits)
    # −log D(x) = softplus(−logit);  −log(1 − D(x̂)) = softplus(logit)
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the decoder: its pictures should be called real.

    Its gradient is largest where the discriminator is sure that a picture is fake; that of the other form,
    log(1 − D), is 0 there.

    Args:
        fake_logits: for decoded pictures, any shape.

    Returns:
        −log D in nats, (): log 2 for a discriminator that does not know.

    Raises:
        TypeError, ValueError: not floating point, or no logit.

    Source: Goodfellow et al., Generative Adversarial Nets (2014), section 3.
    """
    _require_some(fake_logits=fake_logits)
    return softplus(-fake_logits).mean()


def feature_matching_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Mean distance between the discriminator's features of each photo and of its reconstruction.

    Args:
        real: features of photos, (B, ...); no gradient flows into them: they are the target.
        fake: features of their reconstructions, in the same order and of the same shape.

    Returns:
        The mean absolute difference in units of a feature, ().

    Raises:
        TypeError, ValueError: not floating point, the shapes differ, or there is no feature.

    Source: Larsen et al., Autoencoding beyond Pixels Using a Learned Similarity Metric (2016), section 2.2;
    absolute differences as in Wang et al., High-Resolution Image Synthesis with Conditional GANs (2018), eq. 4.
    """
    _require_some(real=real, fake=fake)
    if real.shape != fake.shape:
        raise ValueError(
            f"real and fake must have one shape, got {tuple(real.shape)} and {tuple(fake.shape)}; "
            "compare each photo with its own reconstruction"
        )
    return (real.detach() - fake).abs().mean()


def _require_some(**tensors: Tensor) -> None:
    require_float(**tensors)
    for name, value in tensors.items():
        if value.numel() == 0:
            raise ValueError(f"{name} must hold at least one number, got shape {tuple(value.shape)}")
