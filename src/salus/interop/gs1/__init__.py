"""GS1 identifiers: element strings, Digital Link, EPC URN, check digits; UDI of GS1, HIBCC and ICCBBA. Pure.

`elements` reads what a scanner sends, `identity` says which thing it names, `digital_link` and `urn` write and read the
two web forms, `udi` takes a device's label of any of the three issuers. What may stand where is `dictionary`, generated.
"""
