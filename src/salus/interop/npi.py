"""National Provider Identifiers of the United States (45 CFR 162.406), which X12 and FHIR both carry."""


def luhn(digits: str) -> bool:
    """Tell whether the last digit is the check digit of ISO/IEC 7812-1 (modulus 10, doubled from the right)."""
    total = 0
    for place, sign in enumerate(reversed(digits)):
        digit = int(sign) * (1 + place % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


def npi_valid(text: str) -> bool:
    """Tell whether it is one: ten digits that begin with 1 or 2, Luhn over 80840 and these."""
    return len(text) == 10 and text.isascii() and text.isdecimal() and text[0] in "12" and luhn("80840" + text)
