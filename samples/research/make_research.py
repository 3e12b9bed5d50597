# ruff: noqa: INP001
"""Make four hospitals of 400 and a clinic of 40 synthetic persons with planted effects, the same bytes on every run.

Planted: log odds of hypertension = -5 + 0.08 age + 0.7 smoker; systolic pressure = 110 + 0.4 age + 8 smoker, noise 10; a
follow-up of at most three years with a stroke in one of them: yearly hazard 0.25, of smokers 0.45.
"""

import gzip
import json
import math
import random
from pathlib import Path

random_ = random.Random(20260101)  # noqa: S311 -- a sample, not a secret
later = random.Random(20260102)  # noqa: S311 -- the same
for site, persons in {"north": 400, "south": 400, "east": 400, "west": 400, "clinic": 40}.items():
    lines = []
    for number in range(persons):
        key = f"{site}-{number:04d}"
        born = random_.randint(1940, 2004)
        age, smoker = 2025 - born, random_.random() < 0.3
        gender = random_.choice(("female", "male"))
        subject = {"reference": f"Patient/{key}"}
        day = f"2024-{random_.randint(1, 12):02d}-{random_.randint(1, 28):02d}"
        lines.append({"resourceType": "Patient", "id": key, "gender": gender, "birthDate": f"{born}-07-01"})
        smoking = {"coding": [{"system": "http://snomed.info/sct", "code": "449868002" if smoker else "266919005"}]}
        lines.append(
            {
                "resourceType": "Observation",
                "id": f"smoking-{number:04d}",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "72166-2"}]},
                "subject": subject,
                "effectiveDateTime": day,
                "valueCodeableConcept": smoking,
            }
        )
        pressure = 110 + 0.4 * age + 8 * smoker + random_.gauss(0, 10)
        lines.append(
            {
                "resourceType": "Observation",
                "id": f"pressure-{number:04d}",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                "subject": subject,
                "effectiveDateTime": day,
                "valueQuantity": {"value": round(pressure, 1), "unit": "mmHg", "code": "mm[Hg]"},
            }
        )
        if random_.random() < 1 / (1 + math.exp(5 - 0.08 * age - 0.7 * smoker)):
            lines.append(
                {
                    "resourceType": "Condition",
                    "id": f"hypertension-{number:04d}",
                    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]},
                    "subject": subject,
                    "recordedDate": day,
                }
            )
        years = next((year for year in (1, 2, 3) if later.random() < (0.45 if smoker else 0.25)), 4)
        lines.append(
            {
                "resourceType": "Observation",
                "id": f"follow-up-{number:04d}",
                "status": "final",
                "code": {"coding": [{"system": "urn:salus:sample", "code": "follow-up-years"}]},
                "subject": subject,
                "valueInteger": min(3, years),
            }
        )
        if years <= 3:
            lines.append(
                {
                    "resourceType": "Condition",
                    "id": f"stroke-{number:04d}",
                    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "230690007"}]},
                    "subject": subject,
                }
            )
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    Path(__file__).with_name(f"{site}.ndjson.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
