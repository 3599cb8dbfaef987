"""What a model will need of memory, and which context and layers fit into what is free; without llama.cpp."""

from slots.fit.estimate import Estimate, estimate
from slots.fit.fit import FitOptions, FreeMemory, MemoryPlan, plan_memory
from slots.fit.projector import projector_bytes

__all__ = ["Estimate", "FitOptions", "FreeMemory", "MemoryPlan", "estimate", "plan_memory", "projector_bytes"]
