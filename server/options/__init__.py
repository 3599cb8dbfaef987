"""Options: what requests to generate text may say, as one model, and the forms in which they may say it."""
