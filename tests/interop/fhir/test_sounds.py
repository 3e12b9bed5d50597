"""Soundex as the National Archives describe it, with their examples and those of Knuth."""

import pytest

from salus.interop.fhir.search.sounds import sounds

CODES = {
    "Ashcraft": "A261",
    "Ashcroft": "A261",
    "Gutierrez": "G362",
    "Honeyman": "H555",
    "Jackson": "J250",
    "Lee": "L000",
    "Müller": "M460",
    "Pfister": "P236",
    "Robert": "R163",
    "Rupert": "R163",
    "Tymczak": "T522",
    "VanDeusen": "V532",
    "Washington": "W252",
}


@pytest.mark.parametrize("name", CODES)
def test_a_name_has_its_code(name):
    assert [code for code, _ in sounds(name)] == [CODES[name]]


def test_each_word_has_its_own_and_other_scripts_none():
    assert sounds("Ada-Maria Иванова 5") == [("A300", "ada"), ("M600", "maria")]
