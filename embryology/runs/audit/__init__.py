"""``embryology audit``: is a series of checkpoints what it says?"""
