"""Tables -> figures, one file a chapter."""
