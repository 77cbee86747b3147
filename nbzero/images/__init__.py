"""Images of the data sets, checked, with splits that are fixed for ever: pip install '.[torch]'."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.images.facts import DATASETS as DATASETS, Dataset as Dataset, dataset as dataset
    from nbzero.images.prepare import download as download, prepare as prepare
    from nbzero.images.sources import (
        OfficialImages as OfficialImages,
        find_source as find_source,
        read_official as read_official,
    )
    from nbzero.images.splits import (
        Split as Split,
        scoring_indices as scoring_indices,
        split_indices as split_indices,
        training_subset as training_subset,
    )
    from nbzero.images.tensors import (
        ImageData as ImageData,
        box_downsample as box_downsample,
        load as load,
        normalise as normalise,
    )

__all__ = face(
    __name__,
    facts=("DATASETS", "Dataset", "dataset"),
    prepare=("download", "prepare"),
    sources=("OfficialImages", "find_source", "read_official"),
    splits=("Split", "scoring_indices", "split_indices", "training_subset"),
    tensors=("ImageData", "box_downsample", "load", "normalise"),
)
