"""From a file to chunks: load, split, and the journey that brings them into the index."""
