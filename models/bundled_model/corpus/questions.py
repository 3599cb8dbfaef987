"""Questions: short questions with their answers, drawn from the tables of facts and from arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from zlib import crc32

from models.bundled_model.corpus import facts
from models.bundled_model.corpus.phrasing import (
    capitalized,
    fill_template,
    join_english,
    plural,
    split_words,
    with_article,
)

HELD_OUT_SHARE = 12


@dataclass(frozen=True)
class Exchange:
    """A question, its answer, and the word or number that a right answer contains."""

    question: str
    answer: str
    key: str

    @property
    def is_held_out(self) -> bool:
        """Whether this wording is excluded from training."""
        return crc32(self.question.encode()) % HELD_OUT_SHARE == 0


def _from_table(
    table: dict[str, str], questions: list[str], answers: list[str], subject: Callable[[str], str] = str
) -> Callable[[Random], Exchange]:
    def draw(rng: Random) -> Exchange:
        name, value = rng.choice(list(table.items()))
        words = {"x": subject(name), "X": capitalized(subject(name)), "many": plural(name), "value": value}
        words |= {"Value": capitalized(value), "Many": capitalized(words["many"]), "a_value": with_article(value)}
        return Exchange(fill_template(rng, questions, **words), fill_template(rng, answers, **words), value)

    return draw


capital = _from_table(
    facts.CAPITALS,
    ["What is the capital of $x?", "What's the capital of $x?", "Which city is the capital of $x?",
     "Tell me the capital of $x.", "Name the capital of $x.", "capital of $x?", "What is the capital city of $x?",
     "Do you know the capital of $x?", "What city is the capital of $x?", "$x has which capital?"],
    ["The capital of $x is $value.", "The capital of $x is $value.", "$value is the capital of $x.", "$value."],
)  # fmt: skip
colour = _from_table(
    facts.COLOURS,
    ["What colour is $x?", "What color is $x?", "Which colour does $x have?", "What is the colour of $x?",
     "Tell me the colour of $x.", "What is the color of $x?", "Do you know what colour $x is?"],
    ["$X is $value.", "$X is $value.", "The colour of $x is $value.", "$Value."],
)  # fmt: skip
opposite = _from_table(
    facts.OPPOSITES | {value: name for name, value in facts.OPPOSITES.items() if name not in ("heavy", "tall")},
    ["What is the opposite of $x?", "What's the opposite of $x?", "Tell me the opposite of $x.",
     "Give me the opposite of \"$x\".", "What word is the opposite of $x?", "Opposite of $x?",
     "Which word means the opposite of $x?"],
    ["The opposite of $x is $value.", "The opposite of $x is $value.", "$Value."],
)  # fmt: skip
animal_food = _from_table(
    facts.ANIMAL_FOOD,
    ["What does $x eat?", "What do $many eat?", "What do $many like to eat?", "What food does $x eat?",
     "Tell me what $many eat.", "What is the food of $x?", "What does $x like to eat?"],
    ["$Many eat $value.", "$X eats $value.", "$X likes to eat $value."],
    with_article,
)  # fmt: skip
animal_sound = _from_table(
    facts.ANIMAL_SOUNDS,
    ["What does $x say?", "What sound does $x make?", "What do $many say?", "Which sound do $many make?",
     "How does $x sound?", "What noise does $x make?"],
    ["$X says $value.", "$X goes \"$value\".", "$Value!"],
    with_article,
)  # fmt: skip
animal_home = _from_table(
    facts.ANIMAL_HOMES,
    ["Where does $x live?", "Where do $many live?", "Where can I find $x?", "Where is the home of $x?"],
    ["$X lives $value.", "$Many live $value.", "You can find $x $value."],
    with_article,
)
animal_baby = _from_table(
    facts.ANIMAL_BABIES,
    ["What is a baby $x called?", "What do you call a baby $x?", "What is the baby of a $x?", "Name a baby $x."],
    ["A baby $x is called $a_value.", "A baby $x is $a_value."],
)
legs = _from_table(
    facts.LEGS,
    ["How many legs does $x have?", "How many legs do $many have?", "Tell me how many legs $x has."],
    ["$X has $value legs.", "$Many have $value legs."],
    with_article,
)
purpose = _from_table(
    facts.PURPOSES,
    ["What do you do with $x?", "What is $x for?", "What can I do with $x?", "Why do people need $x?",
     "What do people use $x for?", "What is the use of $x?"],
    ["You use $x to $value.", "People use $x to $value.", "With $x you can $value."],
)  # fmt: skip
kind = _from_table(
    facts.KINDS,
    ["What is $x?", "What kind of thing is $x?", "Can you tell me what $x is?", "What's $x?", "Tell me what $x is."],
    ["$X is a kind of $value.", "$X is $a_value."],
    lambda name: name if name[0].isupper() or name in ("red", "blue", "gold", "iron") else with_article(name),
)
job = _from_table(
    facts.JOBS,
    ["Who $x?", "What do you call a person who $x?", "Which job is it when someone $x?", "Tell me who $x."],
    ["A $value $x.", "A $value does."],
)
sense = _from_table(
    facts.SENSES,
    ["What do we $x with?", "Which part of the body do we use to $x?", "What do you use to $x?"],
    ["We $x with our $value.", "We use our $value to $x."],
)
sides = _from_table(
    facts.SHAPE_SIDES,
    ["How many sides does $x have?", "How many corners does $x have?", "How many sides are there in $x?"],
    ["$X has $value sides.", "It has $value."],
    with_article,
)
plural_form = _from_table(
    facts.PLURALS,
    ["What is the plural of $x?", 'What\'s the plural of "$x"?', "One $x, two what?", "Tell me the plural of $x."],
    ["The plural of $x is $value.", "One $x, two $value."],
)
past_tense = _from_table(
    facts.PAST_TENSES,
    ["What is the past tense of $x?", 'What is the past of "$x"?', "Tell me the past tense of $x."],
    ["The past tense of $x is $value.", "Today I $x, yesterday I $value."],
)
amount = _from_table(
    facts.AMOUNTS,
    ["How many $x?", "How many $x are there?", "Do you know how many $x there are?", "Tell me the number of $x."],
    ["There are $value $x.", "$Value."],
)
description = _from_table(
    facts.DESCRIPTIONS,
    ["How is $x?", "Tell me something about $x.", "Describe $x in one word.", "Is $x $value?", "What is $x like?"],
    ["$X is $value.", "$X is very $value."],
)
material = _from_table(
    facts.MATERIALS,
    ["What is $x made of?", "What do you make $x from?", "What is $x made from?", "Tell me what $x is made of."],
    ["$X is made of $value.", "It is made of $value."],
)
weather = _from_table(
    facts.SEASON_WEATHER,
    ["How is the weather in $x?", "What is the weather like in $x?", "What is $x like?"],
    ["In $x it is $value.", "The weather in $x is $value."],
)


def no_opposite(rng: Random) -> Exchange:
    """Whether a thing has a quality that it does not have."""
    thing, quality = rng.choice(list(facts.DESCRIPTIONS.items()))
    wrong = rng.choice([q for q in sorted(set(facts.DESCRIPTIONS.values())) if q != quality])
    return Exchange(f"Is {thing} {wrong}?", f"No, {thing} is {quality}.", quality)


def neighbour(rng: Random) -> Exchange:
    """Which day or month comes after or before another."""
    cycle, unit = rng.choice([(facts.DAYS, "day"), (facts.MONTHS, "month")])
    index, step = rng.randrange(len(cycle)), rng.choice([1, -1])
    side = "after" if step == 1 else "before"
    result = cycle[(index + step) % len(cycle)]
    questions = ["What comes $s $x?", "Which $u comes $s $x?", "What $u is $s $x?", "What is the $u $s $x?"]
    question = fill_template(rng, questions, s=side, u=unit, x=cycle[index])
    return Exchange(question, fill_template(rng, ["$y comes $s $x.", "$y."], y=result, s=side, x=cycle[index]), result)


def members(rng: Random) -> Exchange:
    category, names = rng.choice(list(facts.MEMBERS.items()))
    count = rng.randint(2, 4)
    sample = rng.sample(names, count)
    questions = ["Name $n $c.", "Tell me $n $c.", "Give me $n $c.", "List $n $c.", "Can you name $n $c?"]
    question = fill_template(rng, questions, n=facts.NUMBER_WORDS[count], c=category)
    if rng.random() < 0.3:
        return Exchange(question, "\n".join(f"{i}. {capitalized(name)}" for i, name in enumerate(sample, 1)), sample[0])
    return Exchange(question, f"{capitalized(join_english(sample))}.", sample[0])


def spelling(rng: Random) -> Exchange:
    word = rng.choice(facts.SPELLED)
    question = fill_template(
        rng, ["How do you spell $x?", "Spell the word $x.", 'Spell "$x".', "Can you spell $x?"], x=word
    )
    return Exchange(question, "-".join(word), "-".join(word))


def first_letter(rng: Random) -> Exchange:
    word, (position, index) = rng.choice(facts.SPELLED), rng.choice([("first", 0), ("last", -1)])
    question = fill_template(rng, ["What is the $p letter of $x?", 'What letter comes $p in "$x"?'], p=position, x=word)
    return Exchange(question, f"The {position} letter of {word} is {word[index]}.", f" {word[index]}.")


def larger(rng: Random) -> Exchange:
    one, other = rng.sample(range(1, 21), 2)
    adjective, choose = rng.choice([("bigger", max), ("larger", max), ("smaller", min)])
    result = choose(one, other)
    questions = ["Which is $w, $a or $b?", "What is $w: $a or $b?", "Which number is $w, $a or $b?"]
    question = fill_template(rng, questions, w=adjective, a=one, b=other)
    return Exchange(question, f"{result} is {adjective} than {one + other - result}.", f"{result} is")


def counting(rng: Random) -> Exchange:
    last = rng.randint(3, 12)
    questions = ["Count to $n.", "Count from 1 to $n.", "Can you count to $n?", "Please count up to $n."]
    question = fill_template(rng, questions, n=last)
    numbers = ", ".join(str(i) for i in range(1, last + 1))
    return Exchange(question, numbers + ".", numbers)


ANY_FACT = (
    capital, capital, colour, colour, opposite, opposite, animal_food, animal_sound, animal_home, animal_baby, legs,
    purpose, kind, job, sense, sides, plural_form, past_tense, amount, description, material, weather, no_opposite,
    neighbour, neighbour, members, members, spelling, first_letter, larger, counting,
)  # fmt: skip

SIGNS = {"+": ("plus", "add"), "-": ("minus", "subtract"), "*": ("times", "multiply")}
SUM_QUESTIONS = ["What is $a $w $b?", "How much is $a $w $b?", "What is $a $s $b?", "$a $s $b = ?", "What's $a $s $b?",
         "Calculate $a $s $b.", "$A $w $b?", "Can you tell me what $a $w $b is?", "Compute $a $s $b."]  # fmt: skip
SUM_ANSWERS = ["$a $s $b = $r.", "$a $w $b is $r.", "$a $w $b is $r.", "$r.", "It is $r.", "The answer is $r."]
OBJECTS = split_words("apples balls books cookies cats eggs flowers pens stars toys")
PEOPLE = split_words("Tom Lily Ben Anna Max Mia Sam Sara")


def _numbers(sign: str, rng: Random) -> tuple[int, int, int]:
    if sign == "*":
        a, b = rng.randint(1, 10), rng.randint(1, 10)
        return a, b, a * b
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    return (a, b, a + b) if sign == "+" else (max(a, b), min(a, b), abs(a - b))


def bare(rng: Random) -> Exchange:
    """A sum, a difference or a product in plain words."""
    sign = rng.choice("+++--*")
    a, b, result = _numbers(sign, rng)
    words = {"a": a, "b": b, "A": capitalized(str(a)), "s": sign, "w": SIGNS[sign][0], "r": result}
    return Exchange(fill_template(rng, SUM_QUESTIONS, **words), fill_template(rng, SUM_ANSWERS, **words), str(result))


def story_problem(rng: Random) -> Exchange:
    """A sum or a difference in a story of one sentence."""
    sign = rng.choice("+-")
    a, b, result = _numbers(sign, rng)
    words = {"a": a, "b": b, "o": rng.choice(OBJECTS), "n": rng.choice(PEOPLE), "r": result}
    change = "gets $b more" if sign == "+" else "gives away $b"
    question = fill_template(rng, [f"$n has $a $o and {change}. How many $o does $n have now?"], **words)
    return Exchange(question, fill_template(rng, ["$n has $r $o now.", "$n has $r $o."], **words), f"{result} ")


def arithmetic(rng: Random) -> Exchange:
    return story_problem(rng) if rng.random() < 0.15 else bare(rng)
