"""Chapter 10, VAE-GAN: a trained VAE whose decoder is tuned until its pictures look sharp.

A Gaussian likelihood is highest at the mean of everything a code could stand for, and a mean is blurred. A
discriminator notices blur, so the decoder learns to commit itself to one sharp picture. The encoder is not
trained: the code stays the code and its rate stays the rate. The price is paid in nats of reconstruction.

Only reconstructions are judged. Prior samples of photos are no dogs yet, and a decoder that has to make them pass
as well covers them with detail that belongs nowhere: tried, it made them and the reconstructions worse.

Source: Larsen et al., Autoencoding beyond Pixels Using a Learned Similarity Metric (2016).
"""

from __future__ import annotations

import torch
from torch import Tensor

from vae_ref.bound import kl_divergence, reconstruction_log_likelihood
from vae_ref.inputs import require_images
from vae_ref.networks import VAE
from vae_ref.sharper.discriminator import Discriminator
from vae_ref.sharper.losses import discriminator_loss, feature_matching_loss, generator_loss

# Heavier weights or larger steps sharpen more, but with a mesh that no fur has: found by looking at the pictures
ADVERSARIAL_WEIGHT = 1000.0  # nats per image for one nat of the generator's loss
FEATURE_WEIGHT = 5000.0  # nats per image for one unit of feature distance


def vae_gan_optimizers(
    model: VAE, discriminator: Discriminator, learning_rate: float
) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
    """The two optimizers of the game, for ``vae_gan_step``: one for what paints and one for what judges.

    Args:
        model: a trained VAE; only its decoder is optimized.
        discriminator: its judge.
        learning_rate: of both; a schedule may change it later.
    """
    # little momentum: what either learns is a moving target (Radford et al., DCGAN, 2016)
    decoder, judge = (
        torch.optim.Adam(module.parameters(), lr=learning_rate, betas=(0.5, 0.99), fused=True)
        for module in (model.decoder, discriminator)
    )
    return decoder, judge


def vae_gan_step(
    model: VAE,
    discriminator: Discriminator,
    x: Tensor,
    model_optimizer: torch.optim.Optimizer,
    discriminator_optimizer: torch.optim.Optimizer,
    adversarial_weight: float = ADVERSARIAL_WEIGHT,
    feature_weight: float = FEATURE_WEIGHT,
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """Take one step of the decoder and one of the discriminator, both from the same pictures.

        decoder:  −log p(x|z) + w_a · −log D(x̂) + w_f · |features(x) − features(x̂)|
        discriminator:  −log D(x) − log(1 − D(x̂))

    σ of the likelihood stays what it was fitted to: fitted again, it would excuse every error. Nothing is kept
    between steps but what the two modules, the two optimizers and the source of noise hold.

    Args:
        model: a trained VAE.
        discriminator: its judge.
        x: images, (B, 3, 64, 64), in [0, 1].
        model_optimizer: holds the decoder's parameters; no others of the model change, whatever else it holds.
        discriminator_optimizer: holds the discriminator's parameters.
        adversarial_weight: w_a, nats per image for one nat per patch.
        feature_weight: w_f, nats per image for one unit of a feature.
        generator: source of the codes' noise; the global one if None.

    Returns:
        Before the step: "loss", "reconstruction" and "kl" in nats per image; "generator" and "discriminator"
        in nats per patch (log 2 and log 4 when nothing can be told); "feature_matching" in units of a feature.
        "loss" is the decoder's; it leaves out the kl, which is constant.

    Raises:
        TypeError, ValueError: ``x`` is not a batch of colour images in [0, 1]; nothing has changed.
    """
    require_images(x)
    model.train()
    discriminator.train()
    with torch.no_grad():
        z, mu, logvar = model.draw(x, generator)
    x_hat = model.decode(z)
    logits, features = discriminator(torch.cat([x, x_hat]))  # one pass for both sides
    real_logits, fake_logits = logits.chunk(2)
    judged = discriminator_loss(real_logits, fake_logits)
    fooled = generator_loss(fake_logits)
    matched = torch.stack([feature_matching_loss(*layer.chunk(2)) for layer in features]).mean()
    reconstruction = -reconstruction_log_likelihood(x, x_hat, model.sigma).mean()
    loss = reconstruction + adversarial_weight * fooled + feature_weight * matched

    # each side follows its own loss, and only for its own weights, before either of them moves
    discriminator_optimizer.zero_grad()
    judged.backward(inputs=list(discriminator.parameters()), retain_graph=True)
    model_optimizer.zero_grad()
    loss.backward(inputs=list(model.decoder.parameters()))
    discriminator_optimizer.step()
    model_optimizer.step()
    return {
        "loss": loss.item(),
        "reconstruction": reconstruction.item(),
        "kl": kl_divergence(mu, logvar).mean().item(),
        "generator": fooled.item(),
        "feature_matching": matched.item(),
        "discriminator": judged.item(),
    }
