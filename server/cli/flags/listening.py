"""Flags of the address: hosts, port, TLS, the prefix of paths, and the pages that may use the server (CORS)."""

from pathlib import Path

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, int_in_range, names, path_prefix

LISTENING = Group(
    "address",
    "",
    Flag(
        "--host HOST,...",
        "hosts",
        names,
        "addresses to listen on, with commas between them; 0.0.0.0 = all interfaces; one that ends in .sock is the "
        "path of a Unix socket",
        "LLAMA_ARG_HOST",
    ),
    Flag("--port PORT", "port", int_in_range(0, 65535), "port to listen on; 0 = any free port", "LLAMA_ARG_PORT"),
    Switch(
        "--reuse-port",
        "reuse_port",
        "listen on a port together with other processes that do so, too; the system distributes the connections",
        "LLAMA_ARG_REUSE_PORT",
    ),
    Flag(
        "--ssl-key-file FILE",
        "tls_key_file",
        Path,
        "private key in PEM format, to serve HTTPS",
        "LLAMA_ARG_SSL_KEY_FILE",
    ),
    Flag(
        "--ssl-cert-file FILE",
        "tls_certificate_file",
        Path,
        "certificate in PEM format, with those between it and its authority",
        "LLAMA_ARG_SSL_CERT_FILE",
    ),
    Flag(
        "-to, --timeout S",
        "io_timeout",
        int_in_range(1, MAX_SIZE),
        "seconds that a client may take to send more of a request, or to take more of a response",
        "LLAMA_ARG_TIMEOUT",
    ),
    Flag(
        "--api-prefix PREFIX",
        "api_prefix",
        path_prefix,
        "path in front of all endpoints, such as /llm",
        "LLAMA_ARG_API_PREFIX",
    ),
    Flag(
        "--cors-origins ORIGIN,...",
        "cors_origins",
        names,
        "origins of pages in a browser that may use the server; * = all, localhost = those of this machine",
        "LLAMA_ARG_CORS_ORIGINS",
    ),
    Flag("--cors-methods METHOD,...", "cors_methods", names, "methods that these may use", "LLAMA_ARG_CORS_METHODS"),
    Flag(
        "--cors-headers HEADER,...",
        "cors_headers",
        names,
        "headers that these may send; * = all, but strict browsers want Authorization by name",
        "LLAMA_ARG_CORS_HEADERS",
    ),
    Switch(
        "--cors-credentials, --no-cors-credentials",
        "cors_credentials",
        "let these send cookies and Authorization",
        "LLAMA_ARG_CORS_CREDENTIALS",
    ),
)
