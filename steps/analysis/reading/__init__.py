"""From the bytes of a file to cells of text, whichever dialect it is written in."""
