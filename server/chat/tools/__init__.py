"""Tool calls and reasoning: what a request offers, the grammar of a turn, and the parser of the output."""
