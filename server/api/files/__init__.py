"""Files that clients upload. LLM Engine and OpenAI have them at the same paths, so each answer has both shapes."""
