"""Decoding .npx files where only NumPy and Pillow are installed: `python -m nextpixel.decode FILE.npx --out DIR`."""
