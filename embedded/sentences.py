"""Sentences written for this project in six languages, row by row translations of each other.

A sentence is who + does + where + when; every combination is grammatical.  From them come the small crawl, its
reference text and the benchmark sets.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Rows of one language; the n-th entry means the same in all of them."""

    who: tuple[str, ...]
    does: tuple[str, ...]
    where: tuple[str, ...]
    when: tuple[str, ...]
    because: tuple[str, ...]
    where_question: str  # with {who} and {does}


WORDS: dict[str, Words] = {
    "en": Words(
        ("The teacher", "My neighbour", "The old doctor", "Our cook", "The young engineer", "The farmer",
         "Her grandmother", "The writer"),
        ("reads a long letter", "repairs the red bicycle", "drinks a cup of tea", "sings a quiet song",
         "paints a small house", "waits for the train", "counts the white birds", "tells a funny story"),
        ("in the library", "in the garden", "at the market", "in the kitchen", "near the river", "behind the school",
         "on the bridge", "in the village"),
        ("early in the morning", "every evening", "after lunch", "on Sunday", "in winter", "before the rain",
         "during the holidays", "late at night"),
        ("because the day was long", "because a friend asked for it", "because nobody else had time",
         "because it had been promised"),
        "Where is it that this happens: {who} {does}?",
    ),
    "de": Words(
        ("Die Lehrerin", "Mein Nachbar", "Der alte Arzt", "Unser Koch", "Die junge Ingenieurin", "Der Bauer",
         "Ihre Großmutter", "Der Schriftsteller"),
        ("liest einen langen Brief", "repariert das rote Fahrrad", "trinkt eine Tasse Tee", "singt ein leises Lied",
         "malt ein kleines Haus", "wartet auf den Zug", "zählt die weißen Vögel", "erzählt eine lustige Geschichte"),
        ("in der Bibliothek", "im Garten", "auf dem Markt", "in der Küche", "am Fluss", "hinter der Schule",
         "auf der Brücke", "im Dorf"),
        ("früh am Morgen", "jeden Abend", "nach dem Mittagessen", "am Sonntag", "im Winter", "vor dem Regen",
         "während der Ferien", "spät in der Nacht"),
        ("weil der Tag lang war", "weil ein Freund darum bat", "weil sonst niemand Zeit hatte",
         "weil es versprochen worden war"),
        "Wo geschieht das: {who} {does}?",
    ),
    "es": Words(
        ("La maestra", "Mi vecino", "El viejo médico", "Nuestro cocinero", "La joven ingeniera", "El campesino",
         "Su abuela", "El escritor"),
        ("lee una carta larga", "repara la bicicleta roja", "bebe una taza de té", "canta una canción tranquila",
         "pinta una casa pequeña", "espera el tren", "cuenta los pájaros blancos", "narra una historia divertida"),
        ("en la biblioteca", "en el jardín", "en el mercado", "en la cocina", "cerca del río", "detrás de la escuela",
         "sobre el puente", "en el pueblo"),
        ("temprano por la mañana", "cada tarde", "después del almuerzo", "el domingo", "en invierno",
         "antes de la lluvia", "durante las vacaciones", "muy entrada la noche"),
        ("porque el día fue largo", "porque un amigo lo pidió", "porque nadie más tenía tiempo",
         "porque así se había prometido"),
        "¿Dónde ocurre esto: {who} {does}?",
    ),
    "fr": Words(
        ("La maîtresse", "Mon voisin", "Le vieux médecin", "Notre cuisinier", "La jeune ingénieure", "Le paysan",
         "Sa grand-mère", "L'écrivain"),
        ("lit une longue lettre", "répare le vélo rouge", "boit une tasse de thé", "chante une chanson calme",
         "peint une petite maison", "attend le train", "compte les oiseaux blancs", "raconte une histoire drôle"),
        ("dans la bibliothèque", "dans le jardin", "au marché", "dans la cuisine", "près de la rivière",
         "derrière l'école", "sur le pont", "dans le village"),
        ("tôt le matin", "chaque soir", "après le déjeuner", "le dimanche", "en hiver", "avant la pluie",
         "pendant les vacances", "tard dans la nuit"),
        ("parce que la journée a été longue", "parce qu'un ami l'a demandé", 
         "parce que personne d'autre n'avait le temps",
         "parce que cela avait été promis"),
        "Où cela se passe-t-il : {who} {does} ?",
    ),
    "ru": Words(
        ("Учительница", "Мой сосед", "Старый врач", "Наш повар", "Молодая соседка", "Крестьянин",
         "Её бабушка", "Писатель"),
        ("читает длинное письмо", "чинит красный велосипед", "пьёт чашку чая", "поёт тихую песню",
         "рисует маленький дом", "ждёт поезд", "считает белых птиц", "рассказывает смешную историю"),
        ("в библиотеке", "в саду", "на рынке", "на кухне", "у реки", "за школой", "на мосту", "в деревне"),
        ("рано утром", "каждый вечер", "после обеда", "в воскресенье", "зимой", "перед дождём",
         "во время каникул", "поздно ночью"),
        ("потому что день был длинным", "потому что об этом попросил друг", 
         "потому что больше ни у кого не было времени",
         "потому что так было обещано"),
        "Где это происходит: {who} {does}?",
    ),
    "sw": Words(
        ("Mwalimu", "Jirani yangu", "Daktari mzee", "Mpishi wetu", "Mhandisi kijana", "Mkulima", "Bibi yake",
         "Mwandishi"),
        ("anasoma barua ndefu", "anatengeneza baiskeli nyekundu", "anakunywa kikombe cha chai",
         "anaimba wimbo wa polepole", "anapaka rangi nyumba ndogo", "anasubiri gari moshi", "anahesabu ndege weupe",
         "anasimulia hadithi ya kuchekesha"),
        ("katika maktaba", "katika bustani", "sokoni", "jikoni", "karibu na mto", "nyuma ya shule", "juu ya daraja",
         "kijijini"),
        ("asubuhi na mapema", "kila jioni", "baada ya chakula cha mchana", "siku ya Jumapili", "wakati wa baridi",
         "kabla ya mvua", "wakati wa likizo", "usiku sana"),
        ("kwa sababu siku ilikuwa ndefu", "kwa sababu rafiki aliomba", "kwa sababu hakuna mwingine aliyekuwa na nafasi",
         "kwa sababu iliahidiwa hivyo"),
        "Jambo hili linatokea wapi: {who} {does}?",
    ),
}  # fmt: skip


def sentence(words: Words, who: int, does: int, where: int, when: int) -> str:
    """One sentence by the rows of its parts."""
    return f"{words.who[who]} {words.does[does]} {words.where[where]} {words.when[when]}."


def combination(number: int) -> tuple[int, int, int, int]:
    """The number-th of the 4,096 combinations of rows, neighbours far apart."""
    mixed = number * 2_221 % 4_096
    return mixed & 7, mixed >> 3 & 7, mixed >> 6 & 7, mixed >> 9 & 7
