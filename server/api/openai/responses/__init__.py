"""OpenAI's Responses: answers made of items, which the server remembers if it is to."""
