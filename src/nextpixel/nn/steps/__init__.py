"""The layers, a row and a sub-pixel at a time: equal to their parallel passes, computing only what is new."""
