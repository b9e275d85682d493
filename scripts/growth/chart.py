"""Draws curves on logarithmic axes as SVG, with a small chart for each operation.

The same curves give the same file. The file has no background and colours of medium brightness, so it can be
read on light and on dark pages.
"""

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

COLUMNS = 3
# The size of a chart with its labels, and the frame of the curves in it.
WIDTH, HEIGHT = 300, 230
LEFT, TOP, RIGHT, BOTTOM = 48, 34, 274, 182
GREY = "#767676"


@dataclass
class Curve:
    name: str
    colour: str
    dashed: bool
    # Pairs of x and y, from left to right.
    points: list


def charts(title, across, upward, panels):
    """Returns an SVG of all charts. `panels` are the curves by the names of their charts. All charts have the same
    axes, labelled `across` and `upward`; curves with the same name look the same."""
    curves = [curve for of_panel in panels.values() for curve in of_panel]
    xs = decades([x for curve in curves for x, _ in curve.points])
    ys = decades([y for curve in curves for _, y in curve.points])
    # The legend takes the last place.
    height = math.ceil((len(panels) + 1) / COLUMNS) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{GREY}">',
        f"<title>{escape(title)}</title>",
        *(at_place(place, chart(name, across, upward, xs, ys, of_panel))
          for place, (name, of_panel) in enumerate(panels.items())),
        at_place(len(panels), legend(curves)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def decades(values):
    """Returns the powers of ten that enclose all values, at least two."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [10.0 ** power for power in range(low, max(high, low + 1) + 1)]


def at_place(place, drawn):
    row, column = divmod(place, COLUMNS)
    return f'<g transform="translate({column * WIDTH} {row * HEIGHT})">\n{drawn}\n</g>'


def chart(name, across, upward, xs, ys, curves):
    def x(value):
        return LEFT + (RIGHT - LEFT) * math.log10(value / xs[0]) / math.log10(xs[-1] / xs[0])

    def y(value):
        return BOTTOM - (BOTTOM - TOP) * math.log10(value / ys[0]) / math.log10(ys[-1] / ys[0])

    return "\n".join([
        text(LEFT, TOP - 14, name, size=14, weight="bold"),
        *(line(x(tick), TOP, x(tick), BOTTOM) for tick in xs),
        *(line(LEFT, y(tick), RIGHT, y(tick)) for tick in ys),
        *(text(x(tick), BOTTOM + 16, f"{tick:,g}", anchor="middle", size=11) for tick in xs),
        *(text(LEFT - 6, y(tick) + 4, f"{tick:,g}", anchor="end", size=11) for tick in ys),
        text((LEFT + RIGHT) / 2, BOTTOM + 34, across, anchor="middle"),
        text(RIGHT, TOP - 14, upward, anchor="end"),
        *(drawn(curve, [(x(at), y(value)) for at, value in curve.points]) for curve in curves),
    ])


def legend(curves):
    looks = {curve.name: curve for curve in curves}
    parts = []
    for number, (name, curve) in enumerate(looks.items()):
        middle = TOP + 20 + number * 26
        parts += [drawn(curve, [(LEFT, middle), (LEFT + 40, middle)]), text(LEFT + 52, middle + 4, name)]
    return "\n".join(parts)


def drawn(curve, places):
    dashes = ' stroke-dasharray="5 4"' if curve.dashed else ""
    course = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    # Hollow points keep dashed curves visible where curves overlap.
    fill = "none" if curve.dashed else curve.colour
    radius = 4.5 if curve.dashed else 2.5
    return "\n".join([
        f'<polyline points="{course}" fill="none" stroke="{curve.colour}" stroke-width="2"{dashes}/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}" stroke="{curve.colour}"/>'
          for x, y in places),
    ])


def line(x1, y1, x2, y2):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{GREY}" '
            'stroke-opacity="0.35"/>')


def text(x, y, words, anchor="start", size=12, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'font-weight="{weight}">{escape(words)}</text>')
