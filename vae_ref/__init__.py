"""The reference variational autoencoder of the course: one module for each chapter.

Module NN imports only modules of earlier chapters, so a learner who works on chapter NN can read and use
everything before it. Import what you need from its chapter: ``from vae_ref.bound import kl_divergence``.
"""
