"""Compares each round with the rounds without subscribers before and after it, because tables grow and machines vary. Prints medians."""
import statistics, sys

rows = [line.split() for line in sys.stdin]
rows = [(row[0], float(row[1].rstrip("/s")), float(row[2]) + float(row[5])) for row in rows if len(row) == 7]
for name in ("subscribers", "naive"):
    ratios = []
    for index, row in enumerate(rows):
        if row[0] == name:
            around = [other for other in rows[max(0, index - 1) : index + 2] if other[0] == "none"]
            ratios.append([row[what] / statistics.mean(other[what] for other in around) for what in (1, 2)])
    writes, cpu = (statistics.median(ratio[what] for ratio in ratios) for what in (0, 1))
    print(f"{name}: writes/s ratio {writes:.2f}, CPU per write ratio {cpu:.2f}, compared with no subscribers")
