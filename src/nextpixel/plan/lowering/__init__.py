"""From models to programs, one module for each kind of network."""
