"""Fetches a model and prints the path of its file: python -m benchmarks.real_models smollm2"""

import argparse

from benchmarks.real_models.download import MODELS, fetch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=MODELS)
    print(fetch(parser.parse_args().name))


if __name__ == "__main__":
    main()
