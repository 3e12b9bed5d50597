"""What partners of a supply chain compute alike from their EPCIS events. Pure.

`goods` replays events to what is inside what, whose it is and where it went; `matching` holds a delivery against scans;
`tracing` tells one pack's way.
"""
