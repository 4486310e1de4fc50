"""What lies on disk: paths, series of checkpoints, manifests, losses and measurements."""
