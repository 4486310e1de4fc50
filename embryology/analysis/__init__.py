"""Tables -> statistics."""
