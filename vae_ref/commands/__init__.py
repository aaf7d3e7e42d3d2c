"""The commands of ``vae-ref``, a file each.

A file has ``add_parser(commands)``, which describes the command's options and names the function that carries it
out with ``set_defaults(handler=...)``. Only that function imports torch, so that ``--help`` answers at once.
"""
