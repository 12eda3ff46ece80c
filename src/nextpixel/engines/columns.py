"""The columns of the tables by which a program is handed to compiled code (`nextpixel.engines.kernel`).

jobs        what is done for one colour of an operation, at the points from a column on
readings    what a sum reads of one map at one place, for one colour
rings       where a map lies: its rows are a ring, each `[columns, B, channels]`, or of what only a pixel's own
operations read a single column, which then stays in the processor's cache
"""

KIND, WIDE, COLUMN, POINTS = range(4)
"""The kind of the operation, whether float64 carries its sums, and the points: from a column on so many."""
OUT, READ, SECOND, FIRST, SIZE = range(4, 9)
"""The rings of what it makes and reads, and its channels of the colour."""
BEGINS, FINISHES, READINGS, READINGS_END = range(9, 13)
"""Whether a sum begins here, with its bias, whether the map is made, and what is added between."""
PREFIX, WIDTH, SPREAD, SCALE, LARGEST, TABLE = range(13, 19)
"""Of a sum: padded outputs before its own, its own, whether each column has a place of its own, and where its scale is;
the bound; the table of an ELU."""
MEMORY, MEMORY_ROW, MEMORY_COLUMN = range(19, 22)
"""Of a cell: the ring of its memory, and the place that hands it on."""
JOB_COLUMNS = 22

SUM, RECTIFY, ELU, GATE, ADD, CELL, SHIFT, ZERO = range(8)
"""Kinds of operations; a shift in the first row is zero."""

SOURCE, ROW, PLACE, SEEN, WEIGHTS = range(5)
"""A ring, the row and column beside the pixel's, how many channels are seen, and where their weights are."""
READING_COLUMNS = 5

START, CHANNELS, LEFT, ROWS, ROW_SIZE, COLUMNS_APART = range(6)
RING_COLUMNS = 6

PLAIN, DRAW, DECODE = range(3)
"""What follows the jobs of a sub-pixel."""
