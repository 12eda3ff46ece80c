"""Model folders: how they are written and read, their card, and those that come with the package."""
