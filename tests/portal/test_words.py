"""Patients' texts read easily: by a formula made for each language, over the catalogue's groups that patients meet."""

import re

import pytest

from salus.portal.rendering import texts

GROUPS = frozenset(
    {
        "my",
        "eob",
        "carc",
        "sharing",
        "share",
        "correct",
        "erase",
        "summary",
        "looked",
        "wallet",
        "host",
        "link",
        "gap",
        "passkeys",
        "apps",
        "refusals",
    }
)
GRADE = 8.0
VOWELS = {"en": re.compile(r"[aeiouy]+"), "de": re.compile(r"[aeiouyäöü]+")}


def sentences(language: str) -> list[list[str]]:
    """Return the words of every sentence of at least three words."""
    found = []
    for key, text in texts(language).items():
        if key.partition(".")[0] in GROUPS:
            told = re.sub(r"`[^`]*`|\{\w+\}", "one", text)
            for part in re.split(r"[.!?:;]\s+|[.!?:;]$", told):
                words = re.findall(r"[^\W\d_]+", part)
                if len(words) >= 3:
                    found.append(words)
    return found


def syllables(word: str, language: str) -> int:
    """Return how many syllables a word has, by its groups of vowels; a silent e at an English word's end is none."""
    count = len(VOWELS[language].findall(word.lower()))
    if language == "en" and re.search(r"[^aeiouyl]e$", word.lower()) and count > 1:
        count -= 1
    return max(count, 1)


def flesch_kincaid(told: list[list[str]]) -> float:
    """Return the grade by Flesch and Kincaid (1975)."""
    words = [word for one in told for word in one]
    return 0.39 * len(words) / len(told) + 11.8 * sum(syllables(one, "en") for one in words) / len(words) - 15.59


def wiener(told: list[list[str]]) -> float:
    """Return the grade by the first Wiener Sachtextformel (Bamberger and Vanecek, 1984)."""
    words = [word for one in told for word in one]
    counts = [syllables(one, "de") for one in words]
    many, one = (100 * sum(test) / len(words) for test in ([n >= 3 for n in counts], [n == 1 for n in counts]))
    long = 100 * sum(len(word) > 6 for word in words) / len(words)
    return 0.1935 * many + 0.1672 * len(words) / len(told) + 0.1297 * long - 0.0327 * one - 0.875


@pytest.mark.parametrize(("language", "grade"), [("en", flesch_kincaid), ("de", wiener)])
def test_what_patients_read_is_of_grade_eight_at_most(language, grade) -> None:
    told = sentences(language)
    assert len(told) > 100
    assert grade(told) <= GRADE


def test_the_formulas_tell_hard_words_from_easy_ones() -> None:
    easy = [["You", "can", "stop", "it", "here"]]
    hard = [["Organisational", "heterogeneity", "necessitates", "interdisciplinary", "harmonisation"]]
    assert flesch_kincaid(easy) < GRADE < flesch_kincaid(hard)
    assert (
        wiener([["Das", "ist", "gut"]])
        < GRADE
        < wiener([["Datenverarbeitungsvereinbarungen", "erfordern", "Bestätigungen"]])
    )
