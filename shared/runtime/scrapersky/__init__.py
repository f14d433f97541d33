"""Turns domains, sitemaps and places into stored, sourced facts."""

__version__ = "0.1.0"
