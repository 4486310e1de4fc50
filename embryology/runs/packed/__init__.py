"""The weights of a series in few megabytes: eight bits a number, and of neighbours what differs."""
