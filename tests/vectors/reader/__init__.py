"""proto/WIRE.md once more, in another language, written from that page alone."""
