"""The pictures: colours, sizes of letters, and properties of GIFs."""

import re

import matplotlib
import matplotlib.pyplot as plt
import pytest
from conftest import RENDERERS, ROOT, load
from matplotlib.text import Text
from PIL import Image

SHOWN = 800  # pixels; a page shows wider pictures at this width
LEAST_TEXT = 11  # pixels at this width
WIDEST = 10  # inches


@pytest.mark.parametrize("path", RENDERERS)
def test_all_colours_come_from_roles(path):
    source = (ROOT / path).read_text()
    block = re.search(r"# shared block\ndef role\(.*?\n\n\n", source, flags=re.DOTALL)[0]
    assert re.findall(r"#[0-9A-Fa-f]{6}\b", source.replace(block, "")) == []
    assert re.search(r"\brole\(", source.replace(block, "")), "roles are used"


@pytest.mark.parametrize("path", RENDERERS)
def test_text_can_be_read_at_the_width_of_a_page(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    module, figures = load(path), {}

    def save_picture(figure, to):
        check(figure, plt.rcParams["savefig.dpi"], to.name, figures)

    def save_gif(figure, *_):
        check(figure, figure.dpi, path, figures)

    monkeypatch.setattr(module, "save_picture", save_picture, raising=False)
    monkeypatch.setattr(module, "save_gif", save_gif, raising=False)
    with matplotlib.rc_context():
        assert module.main(["--out", str(tmp_path / "out")]) == 0
    assert figures and {name: small for name, small in figures.items() if small} == {}


def check(figure, dpi, name, figures):
    """Record the texts that are too small or cut off at an edge, and a width that is too large. Close the figure."""
    width = figure.get_figwidth()
    figure.draw_without_rendering()
    pixels_per_point = min(SHOWN, width * dpi) / width / 72
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    small = {
        f"{text.get_text()[:30]!r}: {text.get_fontsize() * pixels_per_point:.1f} px"
        for text in texts
        if text.get_fontsize() * pixels_per_point < LEAST_TEXT
    }
    free = [*figure.texts, figure._suptitle, *(text for axes in figure.axes for text in (*axes.texts, axes.title))]
    cut = {f"{text.get_text()[:30]!r} is cut off" for text in texts if text in free and not is_inside(text, figure)}
    figures[name] = small | cut | ({f"{width} inches wide"} if width > WIDEST else set())
    plt.close(figure)


def is_inside(text, figure):
    box, whole = text.get_window_extent(), figure.bbox.padded(1)  # a pixel for what rounding adds
    return whole.contains(box.x0, box.y0) and whole.contains(box.x1, box.y1)


@pytest.mark.parametrize("path", sorted((ROOT / "viz").glob("*.gif")), ids=lambda path: path.name)
def test_gifs_are_small_loop_and_hold_their_last_frame(path):
    assert path.stat().st_size < 1.5e6
    with Image.open(path) as gif:
        durations = []
        for k in range(gif.n_frames):
            gif.seek(k)
            durations.append(gif.info["duration"])
        assert gif.info["loop"] == 0 and min(durations) >= 100 and durations[-1] >= 2000
