"""Training: settings, schedule, the order of the images, checkpoints and the loop."""
