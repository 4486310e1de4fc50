"""The one error a person can mend."""


class EmbryologyError(Exception):
    """Something a person can mend, said in one line: what is wrong, where, what to do.

    The command line prints it without a traceback and exits with status 1. Every other exception
    is a defect of ours and keeps its traceback.
    """
