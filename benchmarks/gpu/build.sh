#!/usr/bin/env bash
# Builds llama.cpp with its server for one GPU architecture, and installs the bindings and our server's packages:
#   build.sh CARRIED TARGET [more options of cmake]
# CARRIED is the folder that prepare.py made. TARGET gets site/, for PYTHONPATH, and, when all is compiled,
# build/bin/llama-server and build/bin/llama-quantize. Run it again to continue a build that was interrupted.
set -euo pipefail

carried=$(realpath "$1")
target=$(realpath --canonicalize-missing "$2")
shift 2
source=$target/source
build=$target/build
site=$target/site

# The packages come first: the models can be made while the rest is compiled.
if [ ! -e "$target/.unpacked" ]; then
    mkdir -p "$source" "$site"
    tar --extract --gzip --file "$carried/llama-source.tar.gz" --directory "$source"
    python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$carried"/wheels/*.whl
    cp -r "$source/llama_cpp" "$site/"
    version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$source/llama_cpp/__init__.py")
    mkdir -p "$site/llama_cpp_python-$version.dist-info"
    printf 'Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: %s\n' "$version" \
        >"$site/llama_cpp_python-$version.dist-info/METADATA"
    touch "$target/.unpacked"
fi

generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
# 90-real is machine code for the H100 and nothing else. The libraries find each other in their own folder, wherever they
# are copied to. Build number and commit are set because there is no repository.
cmake -S "$source/vendor/llama.cpp" -B "$build" "${generator[@]}" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
    -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH="\$ORIGIN" \
    -DGGML_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=90-real -DGGML_CUDA_FA_ALL_QUANTS=OFF -DGGML_CUDA_FA_QUANTS=f16-f16 \
    -DGGML_CUDA_NCCL=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_BUILD_NUMBER=1 -DLLAMA_BUILD_COMMIT=carried "$@"
cmake --build "$build" --parallel "$(nproc)" --target llama-server llama-quantize

mkdir -p "$site/llama_cpp/lib"
cp --no-dereference "$build"/bin/*.so* "$site/llama_cpp/lib/"
PYTHONPATH=$site python3 -c '
import llama_cpp.llama_cpp as lib
print("the bindings compute on", "a GPU" if lib.llama_supports_gpu_offload() else "the CPU only")'
