"""Each figure against the two without subscribers around it: tables grow, and machines have moods. Medians of the rounds."""
import statistics, sys

rows = [line.split() for line in sys.stdin]
rows = [(row[0], float(row[1].rstrip("/s")), float(row[2]) + float(row[5])) for row in rows if len(row) == 7]
for name in ("subscribers", "naive"):
    ratios = []
    for place, row in enumerate(rows):
        if row[0] == name:
            around = [other for other in rows[max(0, place - 1) : place + 2] if other[0] == "none"]
            ratios.append([row[what] / statistics.mean(other[what] for other in around) for what in (1, 2)])
    writes, cpu = (statistics.median(ratio[what] for ratio in ratios) for what in (0, 1))
    print(f"{name}: {writes:.2f} of the writes a second without, {cpu:.2f} of the CPU a write")
