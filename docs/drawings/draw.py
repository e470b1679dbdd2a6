"""Make the drawings of the documentation: SVG files beside this one.

Run: python docs/drawings/draw.py

Pages include them as they are, so that the colours are those of the page, light or
dark: ``currentColor``, and variables of the theme with something for elsewhere.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent

STYLE = """
    text { fill: currentColor; font: 14px system-ui, sans-serif; text-anchor: middle }
    .left { text-anchor: start }
    .small { font-size: 12px; opacity: .8 }
    .strong { font-weight: 600 }
    .box { fill: var(--color-background-secondary, #f4f6f8); stroke: currentColor;
        stroke-opacity: .45; rx: 6px }
    .ours { fill: var(--color-brand-primary, #2563eb); fill-opacity: .16;
        stroke: var(--color-brand-primary, #2563eb) }
    .line { fill: none; stroke: currentColor; stroke-width: 1.5; opacity: .75 }
    .back { stroke-dasharray: 5 4 }
    .head { fill: currentColor; opacity: .75 }
"""


class Drawing:
    """
    An SVG file in the making.

    Args:
        name: what its file is called, and its parts begin with.
        title: what it shows, for those who don't see it.
        width: pixels.
        height: pixels.

    """

    def __init__(self, name: str, title: str, width: int, height: int) -> None:
        self.name = name
        style = STYLE.replace("\n    ", f"\n    #{name} ").replace(
            f"#{name}     ", "        "
        )
        self.parts = [
            f'<svg id="{name}" xmlns="http://www.w3.org/2000/svg" role="img" '
            f'viewBox="0 0 {width} {height}" '
            f'style="max-width: {width}px; width: 100%">',
            f"<title>{escape(title)}</title>",
            f"<style>{style}</style>",
            f'<defs><marker id="{name}-head" viewBox="0 0 8 8" refX="7" refY="4" '
            'markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
            '<path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
        ]

    def text(self, x: float, y: float, text: str, style: str = "") -> None:
        """Write a line of text."""
        self.parts.append(
            f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        lines: Iterable[str],
        style: str = "",
    ) -> None:
        """Draw a box with lines of text in its middle; the first one is strong."""
        self.parts.append(
            f'<rect class="box {style}" x="{x}" y="{y}" '
            f'width="{width}" height="{height}"/>'
        )
        lines = list(lines)
        top = y + height / 2 + 5 - 9 * (len(lines) - 1)
        for i, line in enumerate(lines):
            self.text(x + width / 2, top + 18 * i, line, "small" if i else "strong")

    def arrow(self, path: str, style: str = "") -> None:
        """Draw an arrow along a path."""
        self.parts.append(
            f'<path class="line {style}" d="{path}" '
            f'marker-end="url(#{self.name}-head)"/>'
        )

    def save(self) -> str:
        """Return the file's text."""
        return "\n".join([*self.parts, "</svg>"]) + "\n"


#: Number, name, what it's about, and its modules.
FLOORS = """\
5 | faces  | names, signatures, defaults | classic, asyncio.client, asyncio.server, cli
4 | engine | sockets, event loop, tasks, timers | asyncio: connection, opening, dialing
3 | habits | keepalive, queues, limits, deadlines | session
2 | rules  | handshakes, states, closing | protocol, client, server, extensions
1 | bytes  | frames, HTTP, headers, masking | reader, frames, http11, headers, speedups
0 | words  | codes, exceptions, types, URIs | codes, exceptions, typing, uri
"""


def floors() -> str:
    """Draw the floors of the package, and which of them do I/O."""
    drawing = Drawing(
        "floors", "Six floors; those from 3 down do no I/O and read no clock", 720, 392
    )
    for i, line in enumerate(FLOORS.splitlines()):
        number, name, job, modules = (part.strip() for part in line.split("|"))
        y = 10 + 62 * i + 8 * (i > 1)
        style = "ours" if i > 1 else ""
        drawing.box(50, y, 520, 54, [], style)
        drawing.text(24, y + 33, number, "strong")
        drawing.text(66, y + 23, name, "left strong")
        drawing.text(136, y + 23, job, "left")
        drawing.text(66, y + 43, modules, "left small")
    drawing.arrow("M 596 30 V 366")
    drawing.text(612, 26, "imports go", "left small")
    drawing.text(612, 42, "down only", "left small")
    drawing.text(612, 90, "with I/O", "left")
    drawing.text(612, 172, "without I/O,", "left")
    drawing.text(612, 190, "without a clock", "left")
    return drawing.save()


def life() -> str:
    """Draw the states of a connection, and what leads from one to the next."""
    drawing = Drawing(
        "life",
        "A connection is CONNECTING, then OPEN, then CLOSING, then CLOSED",
        720,
        330,
    )
    for x, lines, style in [
        (20, ["CONNECTING", "handshake"], ""),
        (208, ["OPEN", "messages"], "ours"),
        (396, ["CLOSING", "saying goodbye"], ""),
        (584, ["CLOSED", "code and reason"], ""),
    ]:
        drawing.box(x, 130, 116, 62, lines, style)
    for x, above in [(136, "status 101"), (324, "close frame"), (512, "TCP ends")]:
        drawing.arrow(f"M {x} 161 H {x + 71}")
        drawing.text(x + 36, 150, above, "small")
    drawing.arrow("M 78 130 V 60 Q 78 46 92 46 H 628 Q 642 46 642 60 V 129", "back")
    drawing.text(360, 36, "refused, or not open after open_timeout", "small")
    drawing.arrow("M 266 130 V 92 Q 266 80 278 80 H 600 Q 612 80 612 92 V 129", "back")
    drawing.text(440, 71, "lost without a goodbye: code 1006", "small")
    drawing.arrow("M 246 192 V 224 Q 246 236 258 236 H 276 Q 288 236 288 224 V 193")
    for i, line in enumerate(
        [
            "a ping every ping_interval; closed with",
            "1011 if nothing comes for ping_timeout",
        ]
    ):
        drawing.text(266, 258 + 17 * i, line, "small")
    drawing.arrow(
        "M 454 192 V 224 Q 454 236 466 236 H 600 Q 612 236 612 224 V 193", "back"
    )
    drawing.text(560, 258, "cut after close_timeout", "small")
    drawing.text(360, 314, "dashed: the other side doesn't have a say", "small")
    return drawing.save()


def frame() -> str:
    """Draw where a message is between send() and recv(), and what bounds it."""
    drawing = Drawing(
        "frame",
        "A message's way from send() to recv(), and the way back of backpressure",
        720,
        300,
    )
    boxes = [
        (20, ["send()", "frames, deflated"], "ours", "cut into frames", ""),
        (164, ["write buffer", "of the process"], "ours", "write_limit", "64 KiB"),
        (308, ["the kernels", "and the network"], "", "not ours", "some MiB"),
        (452, ["reader", "frames, inflated"], "ours", "max_size", "1 MiB"),
        (596, ["inbox", "recv()"], "ours", "max_queue", "32, and 1 MiB"),
    ]
    for x, lines, style, limit, size in boxes:
        drawing.box(x, 70, 104, 62, lines, style)
        drawing.text(x + 52, 154, limit, "small")
        drawing.text(x + 52, 172, size, "small")
    for x in (124, 268, 412, 556):
        drawing.arrow(f"M {x} 101 H {x + 39}")
    drawing.text(116, 40, "sender", "strong")
    drawing.text(576, 40, "receiver", "strong")
    for x, text in [
        (504, "the queue is full: reading stops"),
        (284, "they fill up"),
        (140, "send() waits"),
    ]:
        drawing.text(x, 234, text, "small")
    drawing.arrow(
        "M 648 182 V 206 Q 648 214 640 214 H 368 Q 360 214 360 206 V 183", "back"
    )
    drawing.arrow(
        "M 352 183 V 206 Q 352 214 344 214 H 224 Q 216 214 216 206 V 183", "back"
    )
    drawing.arrow(
        "M 208 183 V 206 Q 208 214 200 214 H 80 Q 72 214 72 206 V 183", "back"
    )
    drawing.text(360, 276, "Backpressure, dashed, goes the other way.", "small")
    return drawing.save()


DRAWINGS: list[Callable[[], str]] = [floors, life, frame]


if __name__ == "__main__":
    for draw in DRAWINGS:
        (HERE / f"{draw.__name__}.svg").write_text(draw(), encoding="utf-8")
