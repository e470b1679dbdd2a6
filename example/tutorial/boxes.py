"""Dots and boxes: the rules, and nothing else.

A line is a tuple: its direction, "across" or "down", and the row and column of the
dot where it begins.
"""


class Game:
    """Players 0 and 1 draw lines; who closes a box gets it, and draws again."""

    def __init__(self, size=4):
        self.size = size  # boxes in a row
        self.lines = {}  # who drew them
        self.boxes = {}  # who closed them
        self.turn = 0

    def draw(self, player, line):
        """Draw a line; raise ValueError if that's against the rules."""
        if player != self.turn:
            raise ValueError("it isn't your turn")
        if not any(line in sides(*box) for box in self.all_boxes()):
            raise ValueError("there is no such line")
        if line in self.lines:
            raise ValueError("this line is drawn already")
        self.lines[line] = player
        closed = [box for box in self.all_boxes() if self.closes(line, box)]
        for box in closed:
            self.boxes[box] = player
        if not closed:
            self.turn = 1 - player

    def all_boxes(self):
        """Return where boxes are: row and column."""
        return [
            (row, column) for row in range(self.size) for column in range(self.size)
        ]

    def closes(self, line, box):
        """Tell if a line that was just drawn is the last one around a box."""
        around = sides(*box)
        return line in around and all(side in self.lines for side in around)

    def state(self):
        """Return all there is to know about the game, ready for JSON."""
        players = list(self.boxes.values())
        return {
            "size": self.size,
            "lines": [[*line, player] for line, player in self.lines.items()],
            "boxes": [[*box, player] for box, player in self.boxes.items()],
            "score": [players.count(0), players.count(1)],
            "turn": self.turn,
            "over": len(self.boxes) == self.size**2,
        }


def sides(row, column):
    """Return the four lines around a box."""
    return [
        ("across", row, column),
        ("across", row + 1, column),
        ("down", row, column),
        ("down", row, column + 1),
    ]
