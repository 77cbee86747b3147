"""The version of the code; that of the data is in the release."""

__version__ = "0.13.0"
