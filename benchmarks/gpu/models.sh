#!/usr/bin/env bash
# Makes those models with random weights that are possible yet: models.sh CARRIED TARGET [size]
# TARGET gets 7b-f16.gguf once build.sh has installed the packages there, and 7b-q4_0.gguf once it has compiled
# llama-quantize, which uses all cores, unlike make_bench_model.py.
set -euo pipefail

carried=$(realpath "$1")
target=$(realpath "$2")
size=${3:-7b}
whole=$target/$size-f16.gguf
packed=$target/$size-q4_0.gguf
quantize=$target/build/bin/llama-quantize

if [ ! -e "$whole" ]; then
    PYTHONPATH=$target/site python3 "$carried/make_bench_model.py" "$whole.part" \
        --vocab "$carried/vocab.gguf" --size "$size" --type F16
    mv "$whole.part" "$whole"
fi
if [ -x "$quantize" ] && [ ! -e "$packed" ]; then
    "$quantize" --pure "$whole" "$packed.part" Q4_0
    mv "$packed.part" "$packed"
fi
ls -l "$target"/*.gguf
