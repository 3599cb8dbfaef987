"""One step of text generation: plan, draft, decode, sample, emit."""
