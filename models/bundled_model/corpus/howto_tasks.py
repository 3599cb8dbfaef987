"""How-to tasks: families of tasks, and the steps of each family, in order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Tasks with the same steps. A task is "verb/gerund/object"; $x in a step is the object, $it its noun."""

    tasks: tuple[str, ...]
    steps: tuple[str, ...]


def _family(tasks: str, steps: str) -> Family:
    return Family(tuple(t.strip() for t in tasks.split(";")), tuple(s.strip() for s in steps.strip().splitlines()))


FAMILIES = (
    _family(
        "build/building/a website; make/making/a website; create/creating/a website; make/making/an app;"
        "write/writing/a computer program; create/creating/a blog; build/building/an online shop;"
        "develop/developing/a game; design/designing/a web page; build/building/a mobile app; make/making/a web site;"
        "build/building/a chat bot; create/creating/a home page; start/starting/a blog; build/building/a web server",
        """Think about what the $it is for.|Decide what you want your $it to do.|Choose a goal for the $it.
        Choose a good name.|Pick a name for your $it.|Find a short name that people can remember.
        Make a plan.|Draw a plan of the $it on paper.|Write down what the $it needs.
        Look at other people's work.|Look at other examples and learn from them.|Find a $it that you like.
        Choose your tools.|Choose the right tools for the $it.|Pick a language and install the tools.
        Make a simple design.|Design how the $it will look.|Choose the colours and the fonts.
        Write the first version.|Write the code for the first page.|Start with a small version of the $it.
        Add the text and the pictures.|Add the text.|Add pictures that fit.|Fill it with useful content.
        Test it on your computer.|Test the $it with care.|Try every button and every link.
        Ask a friend to try it.|Show the $it to some friends.|Ask people what they think.
        Fix the mistakes that you find.|Fix all the problems.|Change what does not work.
        Put it online.|Publish the $it.|Share it with the world.
        Tell people about it.|Tell your friends about the $it.|Write about your $it so that people find it.
        Keep it up to date.|Make the $it better every week.|Listen to the users and improve it.""",
    ),
    _family(
        "bake/baking/a cake; bake/baking/bread; make/making/a pizza; cook/cooking/soup; make/making/pancakes;"
        "bake/baking/cookies; make/making/a sandwich; cook/cooking/dinner; make/making/a salad; cook/cooking/pasta;"
        "bake/baking/a pie; cook/cooking/rice; make/making/breakfast; cook/cooking/a meal; make/making/an apple pie",
        """Choose a good recipe.|Find a simple recipe for $x.|Read the recipe with care.
        Buy what you need.|Go to the shop and buy everything.|Get all the ingredients.
        Wash your hands.|Wash your hands with soap and water.|Put on an apron.
        Clean the table.|Make some space in the kitchen.|Get a big bowl and a spoon.
        Measure everything.|Weigh everything that goes in.|Cut everything into small pieces.
        Mix it all in a bowl.|Put everything in a bowl and mix well.|Stir until it is smooth.
        Add some salt.|Add a little sugar.|Add a little butter or oil.
        Heat the oven.|Heat a pan.|Turn on the heat.
        Cook it slowly.|Put it on the heat and wait.|Watch it while it gets hot.
        Taste it.|Check if it is ready.|Wait until it smells good.
        Let it cool down.|Take it off the heat.|Turn off the heat and be careful.
        Put it on a plate.|Serve it to your family.|Share it with your friends.
        Enjoy your food.|Eat it while it is warm.|Enjoy!
        Wash the dishes.|Clean the kitchen.|Put everything away.""",
    ),
    _family(
        "build/building/a treehouse; build/building/a birdhouse; make/making/a table; build/building/a bookshelf;"
        "make/making/a kite; build/building/a boat; build/building/a fence; build/building/a robot;"
        "build/building/a house; make/making/a paper plane; build/building/a dog house; make/making/a toy car;"
        "make/making/a chair; build/building/a sandcastle; build/building/a shed; make/making/a mask",
        """Make a drawing of the $it.|Draw what the $it should look like.|Think about how big the $it should be.
        Find a good place.|Find a place to work.|Choose a safe place to work.
        Make a list of what you need.|Write down what you need.|Count how many pieces you need.
        Get the tools.|Get a hammer and some nails.|Borrow the tools that you do not have.
        Buy the wood.|Find strong pieces of wood.|Get paper, glue and string.
        Measure everything twice.|Measure each piece.|Mark where to cut.
        Cut the pieces.|Cut the parts with a saw.|Ask a grown-up to help with the cutting.
        Make the edges smooth.|Check that all the pieces fit.|Lay out all the parts.
        Start with the bottom part.|Put the first pieces together.|Join the big parts first.
        Add the sides.|Add the other parts one by one.|Put the rest together.
        Check that the $it is strong.|Make sure that nothing is loose.|Test the $it.
        Paint it in a nice colour.|Paint the $it.|Add some decoration.
        Let the paint dry.|Wait until it is dry.|Clean up the place.
        Show it to your friends.|Enjoy your new $it.|Be proud of your $it.""",
    ),
    _family(
        "plant/planting/a garden; grow/growing/tomatoes; plant/planting/a tree; grow/growing/flowers;"
        "start/starting/a garden; grow/growing/carrots; plant/planting/roses; grow/growing/vegetables;"
        "grow/growing/herbs; plant/planting/potatoes; grow/growing/an apple tree; grow/growing/beans",
        """Find a sunny place.|Choose a place with a lot of sun.|Look for a good spot.
        Choose what to plant.|Choose good seeds.|Buy seeds or small plants.
        Get a shovel.|Get the tools that you need.|Put on old clothes and gloves.
        Take out the weeds.|Clear the ground.|Remove the stones.
        Dig the soil.|Dig a small hole.|Make the soil soft.
        Add good earth.|Mix in some compost.|Feed the soil.
        Put in the seeds.|Plant the seeds in rows.|Put the plant in the hole.
        Cover the roots with soil.|Cover the seeds with earth.|Press the soil with your hands.
        Water the ground.|Give it some water.|Water it well.
        Put up a small sign.|Mark the place with a stick.|Keep the birds away.
        Water it every day.|Check the soil each morning.|Give it water when it is dry.
        Pull out the weeds.|Keep the insects away.|Cut off dead leaves.
        Be patient.|Wait for it to grow.|Watch it grow.
        Pick what is ripe.|Enjoy what you have grown.|Share it with your neighbours.""",
    ),
    _family(
        "clean/cleaning/your room; clean/cleaning/the kitchen; wash/washing/the car; clean/cleaning/the house;"
        "tidy/tidying/the garage; clean/cleaning/a bike; wash/washing/the dishes; clean/cleaning/the bathroom;"
        "tidy/tidying/your desk; wash/washing/your clothes; clean/cleaning/a window; wash/washing/a dog",
        """Put on old clothes.|Set a time to start.|Turn on some music.
        Open the windows.|Make some room.|Move things out of the way.
        Get what you need.|Get a bucket and some soap.|Find a clean cloth.
        Pick up what is on the floor.|Throw away the trash.|Put everything in its place.
        Fill a bucket with warm water.|Add a little soap to the water.|Make the cloth wet.
        Start at the top.|Start with the dirtiest part.|Begin in one corner.
        Wipe all the dust away.|Rub it gently.|Wash every part with care.
        Do not forget the corners.|Look for spots that you missed.|Scrub the hard spots.
        Rinse with clean water.|Wipe again with clean water.|Take the soap off.
        Dry it with a towel.|Let it dry in the air.|Dry everything.
        Sweep the floor.|Take out the trash.|Empty the bucket.
        Put the tools away.|Put everything back.|Wash the cloth.
        Look at your work.|Enjoy how clean it is.|Take a rest.""",
    ),
    _family(
        "learn/learning/to swim; learn/learning/a new language; learn/learning/to draw; learn/learning/the guitar;"
        "learn/learning/to dance; learn/learning/chess; learn/learning/to ride a bike; learn/learning/to cook;"
        "learn/learning/to sing; learn/learning/Python; learn/learning/the piano; learn/learning/to code;"
        "learn/learning/to read; learn/learning/mathematics; learn/learning/English; learn/learning/to skate",
        """Decide why you want to learn.|Set a small goal.|Think about what you want to reach.
        Find a good teacher.|Find a good book.|Look for lessons near you.
        Get what you need.|Get the right things for it.|Find a quiet place.
        Start with the basics.|Start slowly.|Learn the easy things first.
        Watch people who can do it.|Watch how others do it.|Ask questions.
        Practise every day.|Practise a little each day.|Do it again and again.
        Do not be afraid of mistakes.|Learn from your mistakes.|Try again when it goes wrong.
        Find a friend to learn with.|Practise with a friend.|Join a group.
        Make it fun.|Play games with what you learn.|Choose things that you like.
        Write down what you have learned.|Look back at what you know.|Test yourself.
        Try something harder.|Take the next step.|Set a new goal.
        Take a break when you are tired.|Get enough sleep.|Be patient with yourself.
        Show others what you can do.|Teach somebody else.|Be proud of what you can do.
        Never give up.|Keep going.|Have fun.""",
    ),
    _family(
        "plan/planning/a birthday party; plan/planning/a picnic; plan/planning/a wedding; hold/holding/a meeting;"
        "throw/throwing/a party; organize/organizing/a school play; plan/planning/a concert; host/hosting/a dinner;"
        "plan/planning/a family day; organize/organizing/a sports day; plan/planning/an event",
        """Choose a day.|Pick a date and a time.|Ask when people are free.
        Decide how much to spend.|Make a budget.|Count your money.
        Make a list of guests.|Think about who should come.|Write down the names of the guests.
        Find a place.|Choose a nice place.|Book a room.
        Send the invitations.|Invite your friends.|Call everyone.
        Plan the food.|Choose the food and the drinks.|Order a cake.
        Choose the music.|Find some good music.|Plan some games.
        Ask friends to help.|Give everyone a job.|Find people who can help.
        Buy the decorations.|Decorate the place.|Hang up some balloons.
        Check the list again.|Make sure that nothing is missing.|Call the guests once more.
        Welcome the guests.|Say hello to everyone.|Put on nice clothes.
        Have fun.|Enjoy the day.|Take some pictures.
        Thank everyone.|Say thank you.|Say goodbye to the guests.
        Clean up.|Clean the place together.|Send a thank-you card.""",
    ),
    _family(
        "plan/planning/a trip; go/going/camping; pack/packing/a bag; travel/travelling/to the sea;"
        "visit/visiting/a new city; go/going/on a holiday; climb/climbing/a mountain; move/moving/to a new house;"
        "go/going/on a hike; take/taking/a train; travel/travelling/the world; plan/planning/a holiday",
        """Decide where to go.|Look at a map.|Read about the place.
        Choose the best time.|Pick a date.|Look at the weather.
        Set a budget.|Save some money.|Count how much you can spend.
        Ask a friend to come along.|Tell your family.|Find people to go with.
        Buy the tickets.|Book a place to stay.|Find out how to get there.
        Make a list.|Write down what you need.|Check your papers.
        Pack warm clothes.|Pack your bag.|Take good shoes.
        Take food and water.|Bring some snacks.|Fill a bottle with water.
        Check everything twice.|Lock the door.|Turn off the lights.
        Leave early.|Start in the morning.|Be on time.
        Take your time.|Look around.|Talk to people that you meet.
        Take some pictures.|Write a card to a friend.|Try new food.
        Be careful.|Stay together.|Drink enough water.
        Come home safely.|Tell your friends about it.|Unpack your bag and rest.""",
    ),
    _family(
        "write/writing/a book; write/writing/a letter; write/writing/a story; write/writing/a poem;"
        "write/writing/a song; write/writing/a report; write/writing/an essay; write/writing/a speech;"
        "write/writing/an email; write/writing/a diary; give/giving/a talk; write/writing/a novel",
        """Choose a topic.|Find an idea.|Think about what you want to say.
        Think about who will read it.|Think about your readers.|Decide who it is for.
        Read what others have written.|Collect ideas.|Look for facts.
        Find a quiet place.|Take a pen and paper.|Turn off your phone.
        Make a plan.|Write down the main points.|Put your ideas in order.
        Write a strong beginning.|Write the first sentence.|Start with something interesting.
        Write a little every day.|Write the middle part.|Keep writing and do not stop.
        Use simple words.|Use short sentences.|Say one thing at a time.
        Write a good ending.|Finish with your main idea.|End with something nice.
        Take a break.|Let it rest for a day.|Go for a walk.
        Read it aloud.|Read it again.|Look for mistakes.
        Correct the mistakes.|Cut what you do not need.|Make the weak parts better.
        Ask a friend to read it.|Show it to somebody.|Listen to what others say.
        Share it.|Send it.|Be happy about what you wrote.""",
    ),
    _family(
        "start/starting/a business; open/opening/a shop; open/opening/a bakery; start/starting/a club;"
        "open/opening/a lemonade stand; open/opening/a restaurant; start/starting/a company; sell/selling/old toys;"
        "find/finding/a job; save/saving/money; sell/selling/a bike; open/opening/a cafe; start/starting/a band",
        """Find a good idea.|Think about what you are good at.|Think about what people need.
        Write a plan.|Make a simple plan.|Set a clear goal.
        Ask people what they think.|Talk to your family.|Learn from others.
        Count your money.|Find out what it costs.|Save some money first.
        Choose a name.|Pick a name that people remember.|Make a nice sign.
        Find a good place.|Look for a place where many people pass.|Find the right people.
        Check the rules.|Ask if you need a permit.|Fill in the papers.
        Buy what you need.|Get everything ready.|Make a list of what you need.
        Set fair prices.|Decide how much to ask.|Write down what you spend.
        Tell people about it.|Put up some posters.|Tell your friends.
        Open on a sunny day.|Start small.|Begin with one thing.
        Be kind to everyone.|Listen to people.|Smile at everyone who comes.
        Count what you have earned.|Look at what went well.|Write down what you have learned.
        Make it better.|Grow slowly.|Keep working hard.""",
    ),
    _family(
        "take/taking care of/a dog; take/taking care of/a cat; look/looking after/a fish; keep/keeping/a rabbit;"
        "take/taking care of/a baby; look/looking after/a horse; raise/raising/a puppy; keep/keeping/a hamster;"
        "look/looking after/your plants; train/training/a dog; take/taking care of/a bird; find/finding/a lost cat",
        """Read about what it needs.|Ask somebody who knows.|Talk to your family first.
        Get everything ready.|Buy what it needs.|Prepare a warm place.
        Give it a name.|Be gentle from the start.|Move slowly and speak softly.
        Give it fresh water.|Give it clean water every day.|Fill the bowl with water.
        Give it good food.|Feed it at the same time each day.|Do not give it too much food.
        Keep the place clean.|Clean its place every week.|Keep it warm and dry.
        Play with it.|Spend time with it.|Take it outside.
        Watch how it feels.|Look at it every day.|Learn what it likes.
        Let it sleep.|Give it time to rest.|Be quiet when it sleeps.
        Go to the doctor once a year.|Call a doctor when it is sick.|Keep it safe.
        Teach it small things.|Give it a treat when it does well.|Be patient.
        Ask a friend to help when you are away.|Never leave it alone for long.|Show others how to be gentle.
        Be kind.|Love it every day.|Be a good friend to it.""",
    ),
    _family(
        "get/getting/fit; sleep/sleeping/better; run/running/a race; get/getting/healthy; make/making/new friends;"
        "stay/staying/calm; win/winning/a game; pass/passing/a test; be/being/happy; get/getting/ready for school;"
        "get/getting/up early; stop/stopping/a bad habit; stay/staying/healthy; make/making/a friend",
        """Set a clear goal.|Think about why you want this.|Decide to start today.
        Make a plan for the week.|Write down your plan.|Choose a time each day.
        Start with small steps.|Begin slowly.|Do one thing at a time.
        Eat good food.|Eat more fruit.|Drink enough water.
        Go outside.|Move every day.|Take a walk in the morning.
        Go to bed early.|Get enough sleep.|Turn off the screen at night.
        Ask a friend to help.|Talk to somebody.|Do it together with a friend.
        Be kind to others.|Smile.|Listen to other people.
        Practise every day.|Keep going.|Do a little more each week.
        Take a deep breath.|Take a break.|Do not worry too much.
        Learn from mistakes.|Do not be hard on yourself.|Try again tomorrow.
        Write down what went well.|Look back at what you have done.|Count your good days.
        Give yourself a treat.|Be proud of yourself.|Tell your family about it.
        Never give up.|Stay with it.|Enjoy it.""",
    ),
    _family(
        "fix/fixing/a bike; repair/repairing/a chair; fix/fixing/a lamp; fix/fixing/a computer;"
        "repair/repairing/a toy; fix/fixing/a leaking tap; change/changing/a tyre; repair/repairing/a clock;"
        "fix/fixing/a broken window; change/changing/a light bulb; fix/fixing/a bug; paint/painting/a wall",
        """Stay calm.|Do not worry.|Take your time.
        Find out what is wrong.|Look at the problem.|Look at it from all sides.
        Make sure that it is safe.|Turn it off first.|Put on gloves.
        Get the right tools.|Find your tools.|Get a screwdriver and a lamp.
        Clean the place.|Make some space.|Put a cloth under it.
        Take a picture before you start.|Remember where each part goes.|Read the instructions.
        Open it with care.|Take off the old part.|Loosen the screws.
        Find the broken part.|Check every part.|Clean all the parts.
        Buy a new part.|Get a part that fits.|Glue what is broken.
        Put in the new part.|Put the parts together.|Follow the plan.
        Tighten the screws.|Close it again.|Make sure that nothing is left over.
        Test it.|Try if it works now.|Turn it on again.
        Try again if it does not work.|Ask for help if you need it.|Check it once more.
        Clean up.|Put away the tools.|Be happy that it works.""",
    ),
)
