"""The languages of a text, of articles whose languages are known."""

from embryology.corpus import language

ENGLISH = "It was the best of times, it was the worst of times, it was the age of wisdom."
GERMAN = "Jemand musste Josef K. verleumdet haben, denn ohne dass er etwas Böses getan hätte, wurde er verhaftet."
FRENCH = "Longtemps, je me suis couché de bonne heure, et parfois mes yeux se fermaient si vite."


def test_shares_of_the_articles_from_the_most_frequent_on():
    assert language.shares([GERMAN, ENGLISH, FRENCH, ENGLISH]) == {"en": 0.5, "de": 0.25, "fr": 0.25}
    assert language.shares([GERMAN, GERMAN, ENGLISH]) == {"de": 0.667, "en": 0.333}
    assert next(iter(language.shares([GERMAN, ENGLISH, FRENCH, ENGLISH]))) == "en"
    assert language.shares([]) == {}


def test_one_article_in_a_hundred_is_a_language_and_one_in_more_is_none():
    assert language.shares([ENGLISH] * 99 + [GERMAN]) == {"en": 0.99, "de": 0.01}
    assert language.shares([ENGLISH] * 100 + [GERMAN]) == {"en": 0.99}


def test_an_article_is_of_the_language_it_begins_in():
    assert language.shares([f"{ENGLISH * 4} {GERMAN * 40}"]) == {"en": 1.0}
    assert language.shares([f"{ENGLISH} {GERMAN * 2}"]) == {"de": 1.0}
