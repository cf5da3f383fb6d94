"""Code systems that cannot be shipped, each read from the files that its publisher distributes."""
