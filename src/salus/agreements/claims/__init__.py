"""What a claim pays, computed alike by every party that may see it. Pure; money in integer cents.

`plan` and `rates` are the documents, `decide` runs the steps in the order of its one list, `remit`, `eob` and `page`
say the result as 835, FHIR ExplanationOfBenefit and plain words, `audit` reads a received 835 against the rates.
"""
