"""Pictures of images and figures: grids and learning curves."""
