"""LLM Engine's dialect: completions and models, for programs that use the package scale-llm-engine."""
