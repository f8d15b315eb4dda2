"""Words of the notes: three scales of findings, from none to much, sentence frames, and what says nothing."""

from __future__ import annotations

LEVELS = 9  # steps of each scale

# [LEVELS] each: the lower half denies or plays down, the upper half affirms, with the same words.
FEVER = (
    ("no fever whatsoever", "T low"),
    ("afebrile", "denies fever"),
    ("temp normal", "normothermic"),
    ("temp borderline", "feels warm only"),
    ("subfebrile", "low-grade temp"),
    ("mild fever", "feverish"),
    ("febrile", "fever w/ chills"),
    ("high fever", "fever w/ rigors"),
    ("very high fever, drenched", "hyperpyrexia"),
)
STRAIN = (
    ("breathing w/ great ease", "no SOB whatsoever"),
    ("no dyspnea", "denies SOB"),
    ("breathing quietly", "eupneic"),
    ("winded on stairs only", "barely dyspneic"),
    ("slight SOB", "slight dyspnea"),
    ("moderate SOB", "dyspneic when walking"),
    ("marked dyspnea", "SOB when talking"),
    ("severe SOB at rest", "orthopnea"),
    ("gasping", "resp. distress"),
)
WHEEZE = (
    ("lungs perfectly clear", "no wheeze whatsoever"),
    ("lungs clear", "denies wheezing"),
    ("vesicular sounds", "chest quiet"),
    ("doubtful wheeze", "perhaps a squeak"),
    ("faint wheeze", "scattered squeaks"),
    ("some wheeze", "wheezing at night"),
    ("exp. wheeze", "wheezing on exertion"),
    ("loud wheeze", "wheezing throughout"),
    ("musical chest", "wheeze heard across the room"),
)
OPENERS = (
    "Pt {age} y/o {sex}: {fever}, {strain}, {wheeze}.",
    "{age}{letter}, c/o cough x {days}d. {strain}; {fever}; {wheeze}.",
    "Seen on ward. O/E {wheeze}, {fever}. Pt {strain}.",
    "Adm. via ED, {sex}, {age}. {fever}, {wheeze} and {strain}.",
)
FINDING_FRAMES = (
    "On review: {fever}.",
    "Nurse reports {fever} overnight.",
    "RR counted twice, {strain}.",
    "At present {strain}.",
    "Auscultation: {wheeze}.",
    "Both bases heard: {wheeze}.",
    "Unchanged since adm.: {strain}, {fever}.",
)
FILLERS = (
    "No known allergies.",
    "Cough for {days} days, denies chest pain.",
    "Ex-smoker, {days} py.",
    "Mother had asthma, father HTN.",
    "Lives w/ family, {days} stairs.",
    "Hx of appendectomy.",
    "Travel: none.",
    "Meds: see chart, page {days}.",
    "No rash, no edema.",
    "Eats and drinks.",
    "Vaccinated against flu: unk.",
    "F/u in {days} h.",
)
