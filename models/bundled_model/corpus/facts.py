"""Facts: what the bundled model is to know about the world, one table for each kind of fact."""

from models.bundled_model.corpus.phrasing import split_words


def _table(text: str) -> dict[str, str]:
    entries = (entry.strip() for entry in text.replace("\n", " ").split(";"))
    return {name: value for name, _, value in (entry.partition("=") for entry in entries if entry)}


CAPITALS = _table(
    "France=Paris; Germany=Berlin; Italy=Rome; Spain=Madrid; England=London; Japan=Tokyo; China=Beijing;"
    "Russia=Moscow; Egypt=Cairo; Greece=Athens; Portugal=Lisbon; Poland=Warsaw; Austria=Vienna; Norway=Oslo;"
    "Sweden=Stockholm; Finland=Helsinki; Denmark=Copenhagen; Ireland=Dublin; Hungary=Budapest; Belgium=Brussels;"
    "Canada=Ottawa; Mexico=Mexico City; Brazil=Brasilia; Argentina=Buenos Aires; Peru=Lima; Chile=Santiago;"
    "Cuba=Havana; India=New Delhi; Turkey=Ankara; Kenya=Nairobi; Australia=Canberra; Thailand=Bangkok"
)
COLOURS = _table(
    "the sky=blue; grass=green; snow=white; a banana=yellow; a strawberry=red; coal=black; an orange=orange;"
    "a lemon=yellow; a carrot=orange; milk=white; the sun=yellow; a leaf=green; the sea=blue; a tomato=red;"
    "chocolate=brown; a frog=green; an elephant=grey; a pig=pink; blood=red; a cucumber=green; a cherry=red;"
    "a pumpkin=orange; the night=black; a cloud=white; a fire truck=red; a plum=purple; corn=yellow; a bear=brown"
)
OPPOSITES = _table(
    "hot=cold; big=small; up=down; day=night; happy=sad; fast=slow; open=closed; old=young; high=low; wet=dry;"
    "hard=soft; full=empty; light=dark; left=right; long=short; rich=poor; good=bad; near=far; strong=weak;"
    "early=late; clean=dirty; loud=quiet; thick=thin; heavy=light; sweet=sour; first=last; yes=no; inside=outside;"
    "black=white; true=false; awake=asleep; easy=difficult; love=hate; begin=end; win=lose; push=pull; tall=short"
)
ANIMAL_FOOD = _table(
    "cow=grass; cat=fish and meat; dog=meat and bones; rabbit=carrots and grass; bear=honey and fish; bird=seeds;"
    "mouse=cheese and seeds; horse=grass and hay; lion=meat; monkey=bananas; panda=bamboo; bee=nectar; frog=flies;"
    "squirrel=nuts; sheep=grass; goat=grass and leaves; elephant=leaves and grass; giraffe=leaves; shark=fish;"
    "duck=bread and seeds; owl=mice; penguin=fish; chicken=seeds; pig=corn; spider=flies; tiger=meat"
)
ANIMAL_SOUNDS = _table(
    "cow=moo; cat=meow; dog=woof; duck=quack; sheep=baa; pig=oink; lion=roar; frog=ribbit; bee=buzz; owl=hoot;"
    "snake=hiss; horse=neigh; mouse=squeak; bird=tweet; wolf=howl; rooster=cock-a-doodle-doo"
)
ANIMAL_HOMES = _table(
    "fish=in the water; bird=in a nest; bee=in a hive; bear=in a cave; rabbit=in a burrow; cow=on a farm;"
    "lion=in the savanna; penguin=on the ice; camel=in the desert; frog=in a pond; monkey=in the jungle;"
    "shark=in the sea; squirrel=in a tree; spider=in a web; horse=in a stable; dog=in a house; owl=in the forest"
)
ANIMAL_BABIES = _table(
    "cat=kitten; dog=puppy; cow=calf; sheep=lamb; horse=foal; pig=piglet; bear=cub; duck=duckling; goat=kid;"
    "lion=cub; frog=tadpole; chicken=chick; swan=cygnet; kangaroo=joey"
)
LEGS = _table(
    "dog=four; cat=four; bird=two; spider=eight; fly=six; cow=four; horse=four; ant=six; fish=no; snake=no; duck=two"
)
PURPOSES = _table(
    "a spoon=eat soup; a knife=cut bread; a pen=write; a cup=drink; a bed=sleep; a key=open a door; a broom=sweep the"
    " floor; a book=read; a chair=sit; an umbrella=stay dry in the rain; a clock=tell the time; a hammer=hit nails;"
    "a brush=paint; a phone=call people; a car=drive; a lamp=make light; an oven=bake bread; a towel=dry your hands;"
    "soap=wash your hands; a ball=play; a boat=cross the water; scissors=cut paper; a bag=carry things"
)
KINDS = _table(
    "dog=animal; cat=animal; rose=flower; tulip=flower; apple=fruit; pear=fruit; carrot=vegetable; potato=vegetable;"
    "car=vehicle; bus=vehicle; red=colour; blue=colour; hammer=tool; saw=tool; piano=instrument; guitar=instrument;"
    "oak=tree; shirt=piece of clothing; gold=metal; iron=metal; Monday=day; May=month; table=piece of furniture;"
    "bee=insect; ant=insect; eagle=bird; shark=fish; Python=programming language; Earth=planet; Mars=planet"
)
JOBS = _table(
    "teaches children=teacher; bakes bread=baker; fixes teeth=dentist; puts out fires=firefighter; flies a"
    " plane=pilot; grows food=farmer; helps sick people=doctor; cooks in a restaurant=cook; writes"
    " books=writer; paints pictures=painter; catches thieves=police officer; fixes cars=mechanic; cuts"
    " hair=hairdresser; builds houses=builder; writes programs=programmer; brings letters=mail carrier"
)
SENSES = _table("see=eyes; hear=ears; smell=nose; taste=tongue; walk=legs; think=brain; bite=teeth; touch=fingers")
SHAPE_SIDES = _table("triangle=three; square=four; rectangle=four; pentagon=five; hexagon=six; octagon=eight")
PLURALS = _table(
    "mouse=mice; foot=feet; child=children; tooth=teeth; man=men; woman=women; goose=geese; sheep=sheep; fish=fish;"
    "leaf=leaves; knife=knives; cat=cats; dog=dogs; box=boxes; baby=babies; city=cities; book=books; bus=buses"
)
PAST_TENSES = _table(
    "go=went; see=saw; eat=ate; run=ran; take=took; make=made; come=came; give=gave; find=found; write=wrote;"
    "sing=sang; drink=drank; play=played; jump=jumped; think=thought; buy=bought; sleep=slept; fly=flew"
)
AMOUNTS = _table(
    "days in a week=seven; months in a year=twelve; hours in a day=twenty-four; minutes in an hour=sixty;"
    "seconds in a minute=sixty; fingers on a hand=five; seasons in a year=four; legs on a chair=four;"
    "wheels on a car=four; wheels on a bike=two; eyes on a face=two; letters in the alphabet=twenty-six"
)
DESCRIPTIONS = _table(
    "ice=cold; fire=hot; a stone=hard; a pillow=soft; sugar=sweet; a lemon=sour; the sun=hot; a feather=light;"
    "an elephant=big; an ant=small; a snail=slow; a rocket=fast; water=wet; the desert=dry; a giraffe=tall"
)
DAYS = split_words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = split_words("January February March April May June July August September October November December")
SEASON_WEATHER = _table("summer=hot and sunny; winter=cold and snowy; spring=mild and fresh; autumn=cool and windy")
MEMBERS = {
    "fruits": split_words("apples bananas pears oranges grapes plums cherries lemons peaches"),
    "animals": split_words("dogs cats horses cows rabbits lions bears monkeys sheep"),
    "colours": split_words("red blue green yellow orange purple black white pink"),
    "vegetables": split_words("carrots potatoes tomatoes onions beans peas corn cabbage"),
    "days of the week": DAYS,
    "months": MONTHS,
    "birds": split_words("owls ducks eagles swans robins crows parrots"),
    "tools": split_words("hammers saws drills pliers shovels wrenches"),
    "sports": split_words("football tennis basketball swimming running hockey"),
    "programming languages": split_words("Python Java Rust Go Ruby Lua"),
    "planets": split_words("Mercury Venus Earth Mars Jupiter Saturn"),
}
MATERIALS = _table(
    "bread=flour; a window=glass; a book=paper; a tyre=rubber; cheese=milk; a sweater=wool; a coin=metal; ice=water;"
    "a table=wood; butter=milk; wine=grapes; a shoe=leather; a candle=wax; a brick=clay"
)
SPELLED = split_words("cat dog sun house tree ball book fish milk apple water happy bird star moon cake hat frog")
NUMBER_WORDS = split_words("zero one two three four five six seven eight nine ten")
