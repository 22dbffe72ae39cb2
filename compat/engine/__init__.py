"""An engine on disk: what it says of itself, and the rules of compatibility as data.

Imports nothing above it.
"""
