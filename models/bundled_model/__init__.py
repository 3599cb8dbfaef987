"""Training of the bundled model. Not part of the wheel; needs the extra `train`.

corpus/  ->  tokenizer.py, packing.py  ->  train.py (network.py, optimizer.py, checkpoint.py)
         ->  export.py  ->  bundled.gguf  ->  evaluate.py (llama_runner.py, held_out.py)
"""
