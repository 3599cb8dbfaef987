"""Training of the bundled model's eyes: a vision tower for drawn shapes. Needs the extra `train`.

scenes.py (what is drawn)  ->  exchanges.py (questions about it)
    ->  train.py (tower.py, text_model.py)  ->  export.py  ->  bundled-mmproj.gguf  ->  evaluate.py
"""
