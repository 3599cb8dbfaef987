"""Chats: messages to the text of a prompt, through the chat template of the model."""
