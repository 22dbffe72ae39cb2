"""An engine on disk: the rules of compatibility as data. Imports nothing above it."""
