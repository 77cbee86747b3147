"""What is seen of a figure once it is laid out: for the tests of figures. No test itself."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

PROXIES = ["zen", "snip", "synflow", "jacob_cov", "linear_regions"]  # of the tests' pools


def drawn(figure):
    """The texts that are seen, after the figure was laid out."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def within(figure):
    """Everything drawn, texts and ticks too, lies inside the figure."""
    drawn(figure)
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01, box
    assert box.x1 <= width + 0.01 and box.y1 <= height + 0.01, (box, width, height)


def apart(labels, renderer):
    """No two of the labels lie over each other."""
    boxes = [label.get_window_extent(renderer) for label in labels if label.get_text()]
    for at, box in enumerate(boxes):
        for after in boxes[at + 1 :]:
            assert not (box.x0 < after.x1 and after.x0 < box.x1 and box.y0 < after.y1 and after.y0 < box.y1)


def legends_lie_clear(figure):
    """The words of each legend.

    None lies over axes (lines, points and bars), a tick label, the label of an axis, or another legend.
    """
    drawn(figure)
    renderer = figure.canvas.get_renderer()
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert legends
    boxes = [axes.patch.get_window_extent(renderer) for axes in figure.axes]
    texts = [figure._supxlabel] if figure._supxlabel else []
    for axes in figure.axes:
        texts += [axes.xaxis.label, *axes.get_xticklabels()]
    boxes += [text.get_window_extent(renderer) for text in texts if text.get_text()]
    for legend in legends:
        box = legend.get_window_extent(renderer)
        assert not any(box.overlaps(other) for other in boxes), legend.get_texts()[0].get_text()
        boxes.append(box)
    return [[text.get_text() for text in legend.get_texts()] for legend in legends]


def title(figure):
    return figure.get_suptitle().replace("\n", " ")


def foot(figure):
    """The notes, in one line."""
    return " ".join(figure.get_supxlabel().split())


def labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def heads(figure):
    """The first lines above the axes."""
    return [axes.get_title().split("\n")[0] for axes in figure.axes]


def line(axes, label):
    return next(one for one in axes.lines if one.get_label() == label)
