"""Held-out infills: written by hand for the evaluation. The generator of the training text has none of them."""

from models.bundled_model.corpus.fim import Infill

_CODE = """
def helloworld():
    print("hell§o world")
§
    print("goodbye world")
----
def perimeter(width, height):
    return §2 * (width + height)§
----
def hypotenuse(a, b):
    §return (a ** 2 + b ** 2) ** 0.5§
----
def discount(price, percent):
    §saved = price * percent / 100§
    return price - saved
----
def every_second(items):
    §return items[::2]§
----
def swap(pair):
    first, second = §pair§
    return second, first
----
def is_leap(year):
    if year % 400 == 0:
        §return True§
    return year % 4 == 0 and year % 100 != 0
----
def histogram(numbers):
    for number in numbers:
        §print("*" * number)§
----
def middle_of(items):
    §index = len(items) // 2§
    return items[index]
----
def title_case(text):
    words = §text.split()§
    return " ".join(word.capitalize() for word in words)
----
class Lamp:
    def __init__(self):
        self.on = False

    def toggle(self):
        §self.on = not self.on§
----
def search(items, wanted):
    for index, item in enumerate(items):
        §if item == wanted:
            return index§
    return -1
----
def bill(prices, tip):
    subtotal = sum(prices)
    §return subtotal + tip§
----
def grade(points):
    if points > 90:
        return "A"
    §elif points > 70:§
        return "B"
    return "C"
----
def transpose(rows):
    return [§list(column) for column in zip(*rows)§]
----
def initials(names):
    return "".join(§name[0] for name in names§)
----
def digits(number):
    total = 0
    while number > 0:
        §total += number % 10§
        number //= 10
    return total
----
def save(path, lines):
    with open(path, "w") as file:
        §for line in lines:
            file.write(line)§
----
def compare(left, right):
    if left == right:
        return "same"
    §return "different"§
----
import math


def distance(x, y):
    §return math.sqrt(x * x + y * y)§


print(distance(3, 4))
"""

INFILLS = tuple(Infill(*code.removeprefix("\n").split("§")) for code in _CODE.split("----"))
