"""What every endpoint shares, whatever its dialect: bodies, errors, event streams, keys, sessions."""
