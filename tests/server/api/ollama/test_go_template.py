"""Templates in Ollama's language. What they give was worked out by hand from the rules of Go's text/template."""

import pytest

from server.api.ollama.go_template import render_go_template
from slots.errors import InvalidRequest

MESSAGES = [{"Role": "system", "Content": "Be short."}, {"Role": "user", "Content": "Hi"}]
VALUES = {"System": "Be short.", "Prompt": "Hi", "Suffix": "", "Messages": MESSAGES, "Think": True, "ThinkLevel": "low"}
CHATML = (
    "{{- if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
    "{{- if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n"
)
RANGE = (
    "{{- range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 }}"
    "{{ .Role }}{{ if $last }}!{{ end }}: {{ .Content }}\n{{ end }}"
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ .Prompt }}", "Hi"),
        ("a {{- .Prompt -}} b", "aHib"),
        ("a {{.Prompt}} b", "a Hi b"),
        ("{{/* said by nobody */}}{{ $.Prompt }}", "Hi"),
        ("{{ if .Suffix }}s{{ else if .System }}y{{ else }}n{{ end }}", "y"),
        ("{{ if and .System (not .Suffix) }}y{{ end }}", "y"),
        ('{{ if or (eq .Prompt "Ho" "Hi") (ne 1 1) }}y{{ end }}', "y"),
        ("{{ with .System }}{{ . }}{{ end }}", "Be short."),
        ('{{ $x := "a\\n" }}{{ $x }}{{ `b\\n` }}', "a\nb\\n"),
        ("{{ .Prompt | len }} {{ len .Messages }}", "2 2"),
        ("{{ (index .Messages 1).Content }}", "Hi"),
        ("{{ json .Messages }}", '[{"Role": "system", "Content": "Be short."}, {"Role": "user", "Content": "Hi"}]'),
        ("{% if %} {{ .Prompt }} {# {{ print .Prompt .System }}", "{% if %} Hi {# HiBe short."),
        ("{{ range .Messages }}{{ .Content }}{{ break }}{{ end }}", "Be short."),
        (CHATML, "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
        (RANGE, "system: Be short.\nuser!: Hi\n"),
        ("{{ if .Think }}think {{ .ThinkLevel }}{{ end }}", "think low"),
        ("é {{ .Prompt }} 🙂 \"quoted\" \\ 'x'", "é Hi 🙂 \"quoted\" \\ 'x'"),
    ],
)
def test_template_gives_a_text(template: str, text: str) -> None:
    assert render_go_template(template, VALUES) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ frobnicate .Prompt }}", 'the function "frobnicate"'),
        ("{{ if .Prompt }}a", "a block has no end"),
        ("{{ end }}", "an end without a block"),
        ("{{ else }}", "an else without a block"),
        ("{{ }}", "an action without a value"),
        ("{{ eq .Prompt }}", "eq with too few arguments"),
        ("{{ (len .Prompt }}", "a parenthesis that is not closed"),
        ("{{ .Prompt ? }}", '"?"'),
        ("{{ .Prompt | .System }}", "a value for"),
        ("{{ range .Prompt.Nothing.More }}{{ end }}", "Nothing"),
    ],
)
def test_error_says_what_is_not_understood(template: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^template: expected a template in Ollama's language") as error:
        render_go_template(template, VALUES)
    assert words in str(error.value)
