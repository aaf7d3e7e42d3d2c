"""From a submitted file to points in the gradebook: one hand-in, many at once, and what is kept of them."""
