"""Search spaces: the six macro spaces of nbzero, and those of published benchmarks."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.spaces.choices import Choice as Choice, Imported as Imported, ImportedSpace as ImportedSpace
    from nbzero.spaces.decisions import (
        Decision as Decision,
        arch_of as arch_of,
        decisions_of as decisions_of,
        values_of as values_of,
    )
    from nbzero.spaces.macro import (
        CHOICES as CHOICES,
        Arch as Arch,
        Choices as Choices,
        MacroSpace as MacroSpace,
        Stage as Stage,
        as_arch as as_arch,
        enumerate_members as enumerate_members,
        grid_size as grid_size,
        macs as macs,
        params as params,
        space as space,
    )
    from nbzero.spaces.points import Points as Points, points_of as points_of
    from nbzero.spaces.published import (
        IMPORTED as IMPORTED,
        categories_of as categories_of,
        doubts_of as doubts_of,
        space_of as space_of,
        standard_protocol as standard_protocol,
    )
    from nbzero.spaces.sed import (
        sed_of_cell as sed_of_cell,
        sed_of_table as sed_of_table,
        sed_reconstructed as sed_reconstructed,
    )
    from nbzero.spaces.space import Space as Space

__all__ = face(
    __name__,
    choices=("Choice", "Imported", "ImportedSpace"),
    decisions=("Decision", "arch_of", "decisions_of", "values_of"),
    macro=(
        "CHOICES",
        "Arch",
        "Choices",
        "MacroSpace",
        "Stage",
        "as_arch",
        "enumerate_members",
        "grid_size",
        "macs",
        "params",
        "space",
    ),
    points=("Points", "points_of"),
    published=("IMPORTED", "categories_of", "doubts_of", "space_of", "standard_protocol"),
    sed=("sed_of_cell", "sed_of_table", "sed_reconstructed"),
    space=("Space",),
)
