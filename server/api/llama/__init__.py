"""llama.cpp's dialect: /completion, /infill, /tokenize, /props, /slots."""
