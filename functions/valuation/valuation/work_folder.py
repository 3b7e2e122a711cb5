"""Names of the files that the steps of a long job hand on to each other."""

SELECTION, PACKET, CARD, SCREENING = "selection.json", "packet.json", "card.json", "screening.csv"
