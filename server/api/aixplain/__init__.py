"""The dialect of aiXplain's SDK: executions of a language model, at once, streamed or to be polled for."""
