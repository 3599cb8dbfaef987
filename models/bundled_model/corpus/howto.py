"""How-to documents: "Building a website can be done in 10 simple steps:" and the steps."""

from dataclasses import dataclass
from random import Random
from string import Template
from zlib import crc32

from models.bundled_model.corpus.howto_tasks import FAMILIES, Family
from models.bundled_model.corpus.phrasing import capitalized, maybe_break

HELD_OUT_SHARE = 10
ARTICLES = ("a ", "an ", "the ", "your ", "to ")

OPENINGS = [
    "$Doing can be done in $n simple steps:", "$Doing can be done in $n simple steps:",
    "$Doing can be done in $n easy steps:", "How to $do in $n steps:", "$n simple steps to $do:",
    "Here is how to $do:", "Here are $n steps for $doing:", "You can $do in $n steps:", "To $do, follow these steps:",
    "$Doing is easy. Just follow these $n steps:", "$Doing in $n steps:", "How to $do:",
]  # fmt: skip
CLOSINGS = [
    "That is all! Now you know how to $do.", "Now you know how to $do.", "$Doing is not hard if you take your time.",
    "Good luck!", "With these steps, $doing is easy.", "Have fun!",
]  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A task: its infinitive, its gerund, its noun, and the family that has its steps."""

    do: str
    doing: str
    noun: str
    family: Family

    @property
    def is_held_out(self) -> bool:
        """Whether this task is excluded from training. Tasks with a website, the documentation's example, never are."""
        return "website" not in self.noun and crc32(self.do.encode()) % HELD_OUT_SHARE == 0


def _task(spec: str, family: Family) -> Task:
    verb, gerund, thing = spec.split("/")
    bare = thing.removeprefix(next((a for a in ARTICLES if thing.startswith(a)), ""))
    particle = gerund.partition(" ")[2]
    return Task(" ".join(filter(None, (verb, particle, thing))), f"{gerund} {thing}", bare, family)


TASKS = [_task(spec, family) for family in FAMILIES for spec in family.tasks]
TRAINING_TASKS = [task for task in TASKS if not task.is_held_out]
HELD_OUT_TASKS = [task for task in TASKS if task.is_held_out]
WEBSITE_TASKS = [task for task in TRAINING_TASKS if "website" in task.noun]
WEBSITE_SHARE = 0.08


def _thing(task: Task) -> str:
    return task.doing.partition(" ")[2]


def steps(task: Task, count: int, rng: Random) -> list[str]:
    """Some steps of the task, in order, each in one of its wordings."""
    indices = sorted(rng.sample(range(len(task.family.steps)), min(count, len(task.family.steps))))
    wordings = (rng.choice(task.family.steps[index].split("|")) for index in indices)
    return [Template(wording.strip()).substitute(x=_thing(task), it=task.noun) for wording in wordings]


def numbered(lines: list[str], rng: Random) -> str:
    """The lines as a numbered list, mostly in the form `1. line`."""
    form = rng.choices(["{}. {}", "Step {}: {}", "{}) {}"], [20, 2, 1])[0]
    return "\n".join(form.format(number, line) for number, line in enumerate(lines, 1))


def draw_task(rng: Random) -> Task:
    """A task that is not held out."""
    return rng.choice(WEBSITE_TASKS if rng.random() < WEBSITE_SHARE else TRAINING_TASKS)


def template_words(task: Task, count: int) -> dict[str, str]:
    """The words for the $names in templates about this task."""
    return {"do": task.do, "doing": task.doing, "Doing": capitalized(task.doing), "n": str(count)}


def howto_document(rng: Random) -> str:
    """An opening line, the numbered steps, and sometimes a closing line."""
    task, count = draw_task(rng), rng.choice([3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 10, 10])
    words = template_words(task, count)
    text = Template(rng.choice(OPENINGS)).substitute(words) + maybe_break(rng) + "\n"
    text += numbered(steps(task, count, rng), rng)
    if rng.random() < 0.4:
        text += "\n\n" + Template(rng.choice(CLOSINGS)).substitute(words)
    return text
