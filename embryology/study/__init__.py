"""A study: presets × seeds × overrides, and series of others, planned once and run here or on a cluster."""
