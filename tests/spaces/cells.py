"""Random cells of NAS-Bench-101, as its authors give them. No test itself."""

import numpy as np

OFFICIAL = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")


def random_cell(rng):
    """A matrix and its operations. An edge leads from input to output, others anywhere, at most nine."""
    size = int(rng.integers(2, 8))
    pairs = [(start, end) for start in range(size) for end in range(start + 1, size)]
    matrix = np.zeros((size, size), int)
    matrix[0, -1] = 1
    for place in rng.permutation(len(pairs))[: int(rng.integers(0, 9))]:
        matrix[pairs[place]] = 1
    return matrix.tolist(), ["input", *rng.choice(OFFICIAL, size - 2).tolist(), "output"]
