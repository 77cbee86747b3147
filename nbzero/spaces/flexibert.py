"""FlexiBERT: encoders of two or four layers, 491 of which were trained.

    bert-h128-SA.SDP.h2.f512x1-DSC.9.h4.f1024x3

The hidden size; then of each layer its operation, heads, width and number of feed-forward stacks. The string
is ours: its authors have JSON. `arch_id` is the position in the order of the strings. Source: Tuli et al.,
arXiv:2205.11656; the trained encoders Serianni and Kalita, arXiv:2306.00288.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nbzero.spaces.choices import Choice, Imported

GLUE = ("cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst", "sts")  # the tasks; "glue" is their mean
BERT_WIDTHS = ("128", "256")
BERT_LAYERS = (2, 4)
BERT_OPERATIONS = ("SA.SDP", "SA.WMA", "LT.DFT", "LT.DCT", "DSC.5", "DSC.9")
LAYER = (
    Choice("operation", ("no layer", *BERT_OPERATIONS)),
    Choice("heads", ("no layer", "2", "4")),
    Choice("ff_width", ("no layer", "512", "1024")),
    Choice("ff_stacks", ("no layer", "1", "3")),
)


def _choices() -> tuple[Choice, ...]:
    choices = [Choice("hidden_size", BERT_WIDTHS)]
    for number in range(1, BERT_LAYERS[1] + 1):
        least = int(number <= BERT_LAYERS[0])
        for part in LAYER:
            choices.append(Choice(f"layer_{number}_{part.column}", part.options, least))
    return tuple(choices)


def _text(values: Sequence[int]) -> str:
    hidden, *rest = values
    text = f"bert-h{BERT_WIDTHS[hidden]}"
    for start in range(0, len(rest), len(LAYER)):
        numbers = rest[start : start + len(LAYER)]
        said = [part.options[number] for part, number in zip(LAYER, numbers, strict=True)]
        if any(numbers):
            text += "-{}.h{}.f{}x{}".format(*said)
    return text


def _pieces(text: str) -> list[int]:
    hidden, *layers = text.removeprefix("bert-h").split("-")
    numbers = [BERT_WIDTHS.index(hidden)]
    for layer in layers:
        said = re.split(r"\.h|\.f|x", layer)
        for part, value in zip(LAYER, said, strict=True):
            numbers.append(part.options.index(value))
    return numbers


def _pattern() -> str:
    operations = "|".join(map(re.escape, BERT_OPERATIONS))
    layer = rf"-({operations})\.h[24]\.f(512|1024)x[13]"
    return rf"bert-h(128|256)({layer}){{2}}(({layer}){{2}})?"


def _depth(values: Sequence[int]) -> dict[str, int]:
    operations = values[1 :: len(LAYER)]
    return {"depth": len(operations) - operations.count(0)}


FLEXIBERT = Imported(
    name="flexibert",
    title="FlexiBERT",
    choices=_choices(),
    pattern=_pattern(),
    looks_like="bert-.*",
    example="bert-h256-SA.SDP.h2.f512x1-DSC.9.h4.f1024x3",
    num_members=491,
    pieces=_pieces,
    text=_text,
    costs=_depth,
    protocol="tokens-16x128",
)
