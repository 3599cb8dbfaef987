"""What reading a request costs, and which files it passes."""
