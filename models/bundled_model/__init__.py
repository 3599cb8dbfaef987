"""How the bundled model is made: corpus, tokenizer, network, training, export and evaluation."""
