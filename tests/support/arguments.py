"""What the programs among the tests take on their command lines."""

import argparse


def positive(text: str) -> int:
    """A whole number of 1 or more. Of none of something nothing could be said."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
