"""The page of `nextpixel serve`: a Starlette application and one static page; needs the extra `[web]`."""
