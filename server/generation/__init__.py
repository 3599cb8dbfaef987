"""What every endpoint that generates text shares, whatever its dialect."""
