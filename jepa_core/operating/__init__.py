"""For those who run it: what is there, what is wrong, what is too much."""
