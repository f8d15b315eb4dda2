"""The same job by other means: each peer as its own documentation recommends, on the same rows and weights."""
