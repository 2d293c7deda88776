"""From a callback's bytes to stored rows: decoding, tolerant parsing, duplicates, grouped writes."""
