"""Questions of arithmetic with small numbers."""

from random import Random

from models.bundled_model.corpus.phrasing import capitalized, filled, listed
from models.bundled_model.corpus.questions import Exchange

SIGNS = {"+": ("plus", "add"), "-": ("minus", "subtract"), "*": ("times", "multiply")}
ASKED = ["What is $a $w $b?", "How much is $a $w $b?", "What is $a $s $b?", "$a $s $b = ?", "What's $a $s $b?",
         "Calculate $a $s $b.", "$A $w $b?", "Can you tell me what $a $w $b is?", "Compute $a $s $b."]  # fmt: skip
ANSWERED = ["$a $s $b = $r.", "$a $w $b is $r.", "$a $w $b is $r.", "$r.", "It is $r.", "The answer is $r."]
OBJECTS = listed("apples balls books cookies cats eggs flowers pens stars toys")
PEOPLE = listed("Tom Lily Ben Anna Max Mia Sam Sara")


def _numbers(sign: str, rng: Random) -> tuple[int, int, int]:
    if sign == "*":
        a, b = rng.randint(1, 10), rng.randint(1, 10)
        return a, b, a * b
    a, b = rng.randint(0, 12), rng.randint(0, 12)
    return (a, b, a + b) if sign == "+" else (max(a, b), min(a, b), abs(a - b))


def bare(rng: Random) -> Exchange:
    """A sum, a difference or a product asked for plainly."""
    sign = rng.choice("+++--*")
    a, b, result = _numbers(sign, rng)
    words = {"a": a, "b": b, "A": capitalized(str(a)), "s": sign, "w": SIGNS[sign][0], "r": result}
    return Exchange(filled(rng, ASKED, **words), filled(rng, ANSWERED, **words), str(result))


def story_problem(rng: Random) -> Exchange:
    """A sum or a difference of things that somebody has."""
    sign = rng.choice("+-")
    a, b, result = _numbers(sign, rng)
    words = {"a": a, "b": b, "o": rng.choice(OBJECTS), "n": rng.choice(PEOPLE), "r": result}
    told = ["$n has $a $o and gets $b more. How many $o does $n have now?"] if sign == "+" else [
        "$n has $a $o and gives away $b. How many $o does $n have now?"]  # fmt: skip
    return Exchange(filled(rng, told, **words), filled(rng, ["$n has $r $o now.", "$n has $r $o."], **words),
                    f"{result} ")  # fmt: skip


def arithmetic(rng: Random) -> Exchange:
    """Mostly plain arithmetic, sometimes a story problem."""
    return story_problem(rng) if rng.random() < 0.15 else bare(rng)
