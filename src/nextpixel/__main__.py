"""`python -m nextpixel`: the command line."""

from nextpixel.cli.app import main

if __name__ == "__main__":
    main()
