"""EPCIS 2.0 (JSON-LD, XML) and 1.2 (XML): read, check, hash, write. Pure; contexts are never fetched.

`document.read` takes bytes of any of the three and gives `Event`s in one form; `canonical` gives them one hash whatever
they came in; `document.write_json` and `xml_writer.write_xml` give them out again.
"""
