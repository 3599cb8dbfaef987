"""Fine-tuning: makes LoRA adapters for GGUF models out of prompts with responses.

    store.py           which files, jobs and adapters there are
    dataset.py         reads prompts and responses
    options.py         hyperparameters
    trainers.py        chooses how a model is trained: gguf_network.py or peft_network.py
    training.py        the loop: steps, evaluations, checkpoints, the best adapter
    events.py          what a job reports

Importing the modules that train needs torch and gguf, which an extra installs.
"""
