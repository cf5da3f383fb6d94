"""Who may see what: the one access decision."""
