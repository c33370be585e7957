# SPDX-License-Identifier: Apache-2.0
"""Curves as SVG, without any library: a value over a number of things, which grows by powers."""

import math
import statistics
from xml.sax.saxutils import escape

from measure import spread

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 48, 52
# Told apart by colour, mark and dash: also in print, and by those who see colours otherwise.
STYLES = [("#0072b2", "", "circle"), ("#d55e00", "6 3", "square"), ("#009e73", "2 3", "diamond"),
          ("#7f7f7f", "9 3 2 3", "circle")]


def nice_step(top):
    """About five steps to the top, each 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(top / 5))
    return next(step * power for step in (1, 2, 5, 10) if step * power * 5 >= top * 0.999)


def number(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"


class Chart:
    """lines: {name: {x: [values of each round]}}; the curve is their median, the bar their middle half."""

    def __init__(self, title, x_label, y_label, lines):
        self.title, self.x_label, self.y_label, self.lines = title, x_label, y_label, lines
        self.xs = sorted({x for points in lines.values() for x in points})
        most = max(spread(values)[1] for points in lines.values() for values in points.values())
        self.step = nice_step(most)
        self.top = math.ceil(most / self.step) * self.step

    def x(self, value):
        low, high = math.log10(self.xs[0]), math.log10(self.xs[-1])
        part = (math.log10(value) - low) / (high - low) if high > low else 0.5
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        right = WIDTH - RIGHT
        for i in range(round(self.top / self.step) + 1):
            value = i * self.step
            y = self.y(value)
            yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#ddd"/>'
            yield text(LEFT - 8, y + 4, number(value), "end")
        for value in self.xs:
            yield text(self.x(value), HEIGHT - BOTTOM + 18, number(value), "middle")
        yield text((LEFT + right) / 2, HEIGHT - 12, self.x_label, "middle")
        yield text(LEFT - 56, TOP - 14, self.y_label, "start")
        yield text(LEFT - 56, 20, self.title, "start", 'font-weight="bold"')

    def line(self, index, name, points):
        color, dash, mark = STYLES[index % len(STYLES)]
        middle = {x: statistics.median(values) for x, values in points.items()}
        path = " ".join(f"{self.x(x):.1f},{self.y(middle[x]):.1f}" for x in sorted(points))
        yield (f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" '
               f'stroke-dasharray="{dash}"/>')
        for x, values in points.items():
            low, high = spread(values)
            yield (f'<line x1="{self.x(x):.1f}" y1="{self.y(low):.1f}" x2="{self.x(x):.1f}" '
                   f'y2="{self.y(high):.1f}" stroke="{color}"/>')
            yield shape(mark, self.x(x), self.y(middle[x]), color)
        last = max(points)
        yield text(self.x(last) + 10, self.label_y[name] + 4, name, "start", f'fill="{color}"')

    def place_labels(self):
        """At the end of each curve, but never one over the other."""
        ends = sorted((self.y(statistics.median(points[max(points)])), name)
                      for name, points in self.lines.items())
        self.label_y, last = {}, -math.inf
        for y, name in ends:
            last = self.label_y[name] = max(y, last + 16)

    def svg(self):
        self.place_labels()
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                 'font-family="sans-serif" font-size="12">',
                 "<!-- SPDX-License-Identifier: Apache-2.0; made by test/bench/services.py -->",
                 f"<title>{escape(self.title)}</title>",
                 f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *self.axes()]
        for index, (name, points) in enumerate(self.lines.items()):
            parts += self.line(index, name, points)
        return "\n".join([*parts, "</svg>", ""])

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg())


def text(x, y, what, anchor, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(what)}</text>'


def shape(mark, x, y, color):
    if mark == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if mark == "diamond" else ""
    return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{color}"{turn}/>'
