"""The program of a job: `python -m server.fine_tuning.job FOLDER`.

spec.py       what it is to do
download.py   files from URLs; addresses.py says from which
sequences.py  tokens of prompts with responses
reporting.py  metrics to Weights & Biases
"""
