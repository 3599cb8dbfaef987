"""What coding agents read: a system prompt with tools, tasks, and the results of tools. The same for the same seed."""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

NOUNS = """
    account address archive batch branch buffer cache channel client column config cursor device document event field
    filter folder gateway group handler header image index invoice item job key ledger letter limit list log message
    metric model node order packet page parser payment plan policy price queue query record region report request
    response route rule schema session shard signal slot stock store stream table task tenant ticket token user vendor
    worker zone
"""
VERBS = "add build check clean copy count create find format load make merge move parse read save send sort split"
RULES = (
    "Read a file before you change it, and change as little as the task needs.",
    "Look for an existing {noun} helper before you write a new one.",
    "Run the tests of the package that you changed after each change, and read their whole output.",
    "If a test fails, find the cause before you edit; never change what a test expects to make it pass.",
    "Keep functions short. A function of the {noun} package does one thing and says so in its name.",
    "Do not print secrets, and do not read files outside the repository.",
    "Answer with exactly one call of a tool until the task is done; then answer with a summary of two sentences.",
    "Paths are relative to the root of the repository. Lines are counted from 1.",
    "When a command takes longer than a minute, say what you wait for.",
    "Errors name the {noun} and say what was expected of it.",
)
TOOLS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "read_file": (
        "Returns lines of a file, with their numbers.",
        {"path": "the file", "first_line": "where to begin", "n_lines": "at most 400"},
    ),
    "edit_file": (
        "Replaces a text that occurs exactly once in a file.",
        {"path": "the file", "old_text": "what is replaced, with its indentation", "new_text": "what replaces it"},
    ),
    "write_file": ("Creates or overwrites a file.", {"path": "the file", "content": "all of its text"}),
    "list_folder": ("Returns the names in a folder.", {"path": "the folder", "depth": "levels of folders, 1 to 4"}),
    "search": (
        "Returns the lines that match a regular expression, with their files and numbers.",
        {"pattern": "as in re", "path": "a file or folder", "max_results": "at most 200"},
    ),
    "run_tests": (
        "Runs tests and returns the end of their output.",
        {"selection": "as pytest takes it", "verbose": ""},
    ),
    "run_command": (
        "Runs a command in a shell without network and returns what it printed.",
        {"command": "one line of bash", "seconds": "after which it is ended"},
    ),
    "git_diff": ("Returns what was changed.", {"path": "a file or folder", "against": "a commit (default: HEAD)"}),
    "git_log": ("Returns the last commits.", {"path": "a file or folder", "n": "at most 50"}),
    "find_references": ("Returns where a name is used.", {"name": "with its module", "path": "a file or folder"}),
    "take_note": ("Keeps a text for later steps.", {"title": "at most ten words", "text": "what to remember"}),
    "finish": (
        "Ends the task.",
        {"summary": "what was done, in two sentences", "files": "the files that were changed"},
    ),
}
N_LISTED_FILES = 400
"""Of the repository in the system prompt, more than any prompt has room for."""


def system_text(random: np.random.Generator) -> str:
    """Returns instructions, tools with their parameters, and a list of files: more than 6,000 tokens."""
    project = f"{_noun(random)}-{_noun(random)}"
    rules = [f"{number}. {rule.format(noun=_noun(random))}" for number, rule in enumerate(RULES, 1)]
    files = [
        f"{_path(random)}: {_verb(random)}s each {_noun(random)} of a {_noun(random)}, used by the {_noun(random)} of "
        f"{_path(random)}"
        for _item in range(N_LISTED_FILES)
    ]
    parts = [
        f"You are a coding agent in the repository {project}. You work on one task at a time, step by step.",
        *rules,
        "Tools, with the JSON schema of their arguments:",
        *(json.dumps(_tool(name), indent=1) for name in TOOLS),
        f"Files of {project}:",
        *files,
    ]
    return "\n".join(parts)


def task_text(random: np.random.Generator) -> str:
    """Returns what a user asks for."""
    return (
        f"\nUser: {_function(random)} in {_path(random)} fails for an empty {_noun(random)}. Find out why, mend it, "
        f"and add a test for a {_noun(random)} without {_noun(random)} and one with two of them. Then read the "
        f"documentation of the {_noun(random)} and correct what it says about it.\nAgent: "
    )


def tool_result_text(random: np.random.Generator) -> str:
    """Returns what one of the tools found: code, lines that match, or tests; more than 200 tokens."""
    kinds: Sequence[Callable[[np.random.Generator], str]] = (_code, _matches, _tests)
    return f"\nTool: {kinds[int(random.integers(len(kinds)))](random)}"


def _tool(name: str) -> dict[str, object]:
    description, parameters = TOOLS[name]
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters), "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def _code(random: np.random.Generator) -> str:
    lines = []
    for _item in range(20):
        noun, other, default = _noun(random), _noun(random), random.integers(100)
        lines += [
            f"def {_function(random)}({noun}: {noun.title()}, {other}: int = {default}) -> {noun.title()}:",
            f"    if not {noun}.{other}:",
            f"        raise ValueError(f'a {noun} needs a {other}, got {{{noun}.{other}!r}}')",
            f"    return {_function(random)}({noun}, {other})",
            "",
        ]
    return "\n".join(f"{number:4} {line}" for number, line in enumerate(lines, int(random.integers(1, 300))))


def _matches(random: np.random.Generator) -> str:
    return "\n".join(
        f"{_path(random)}:{random.integers(1, 400)}: {_noun(random)} = {_function(random)}({_noun(random)})"
        for _item in range(80)
    )


def _tests(random: np.random.Generator) -> str:
    results = [
        f"{_path(random)}::test_{_function(random)} {random.choice(['PASSED', 'FAILED'])}" for _item in range(80)
    ]
    return "\n".join(["collected 80 items", *results])


def _noun(random: np.random.Generator) -> str:
    return str(random.choice(NOUNS.split()))


def _verb(random: np.random.Generator) -> str:
    return str(random.choice(VERBS.split()))


def _function(random: np.random.Generator) -> str:
    return f"{_verb(random)}_{_noun(random)}_{_noun(random)}"


def _path(random: np.random.Generator) -> str:
    return f"src/{_noun(random)}/{_noun(random)}_{_noun(random)}.py"
