"""The charts of docs/benchmarks, from the file of runs: chart.py RUNS.tsv FOLDER."""

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

OURS = "#c0392b"
LIMIT = "#95a5a6"
PEER = "#34699a"

#: Who stands where in a chart without an order of its own.
ORDER = ["pound", "limit-tokio", "limit-epoll", "haproxy", "nginx", "h2o", "varnish", "envoy", "caddy", "hitch"]


def read(file):
    """The facts and the runs, by scenario and peer."""
    facts, lines = {}, []
    for line in Path(file).read_text().splitlines():
        if line.startswith("# "):
            key, _, value = line[2:].partition("\t")
            facts[key] = value
        else:
            lines.append(line)
    runs = defaultdict(lambda: defaultdict(list))
    for row in csv.DictReader(lines, delimiter="\t"):
        run = {key: value if key in ("scenario", "peer") else float(value) for key, value in row.items()}
        runs[run["scenario"]][run["peer"]].append(run)
    return facts, runs


def title(facts, peer):
    """What a peer is called."""
    name = facts.get(f"title {peer}", peer)
    _, dash, more = peer.partition("-")
    return f"{name} ({more})" if dash and not peer.startswith("limit") else name


def colour(peer):
    return OURS if peer == "pound" else LIMIT if peer.startswith("limit") else PEER


def bars(axes, facts, runs, figure, label):
    """One bar for each peer, the best on top; the whisker goes from the least to the most."""
    rows = []
    for peer, of_peer in runs.items():
        values = [figure(run) for run in of_peer if run["requests"] > 0]
        if values:
            rows.append((statistics.median(values), min(values), max(values), peer))
    rows.sort(reverse=True)
    middles = [row[0] for row in rows]
    errors = [[row[0] - row[1] for row in rows], [row[2] - row[0] for row in rows]]
    names = [title(facts, row[3]) for row in rows]
    axes.barh(names, middles, xerr=errors, color=[colour(row[3]) for row in rows], ecolor="#555555", capsize=2)
    most = max((row[2] for row in rows), default=1)
    for index, row in enumerate(rows):
        text = f"{row[0]:,.0f}" if row[0] >= 100 else f"{row[0]:.1f}"
        axes.text(row[2] + most * 0.015, index, text, va="center", fontsize=8)
    axes.set_xlim(0, most * 1.15)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def request_us(run):
    return run["processor_ns"] / 1e3 / run["requests"]


def gibibyte_ms(run):
    return run["processor_ns"] / 1e6 / (run["bytes"] / 2**30)


def connection_kib(run):
    return (run["resident_kib"] - run["resident_before_kib"]) / run["requests"]


def single(facts, runs, scenario, heading, figure, label, folder):
    if scenario not in runs:
        return
    drawing, axes = plt.subplots(figsize=(7.2, 0.6 + 0.36 * len(runs[scenario])), layout="constrained")
    bars(axes, facts, runs[scenario], figure, label)
    axes.set_title(heading, loc="left", fontsize=11)
    drawing.savefig(folder / f"{scenario}.png", dpi=110, metadata={"Software": None})
    plt.close(drawing)


def several(facts, runs, wanted, name, folder):
    wanted = [row for row in wanted if row[0] in runs]
    if not wanted:
        return
    most = max(len(runs[row[0]]) for row in wanted)
    lines = (len(wanted) + 1) // 2
    drawing, grid = plt.subplots(
        lines, 2, figsize=(11.5, lines * (0.8 + 0.32 * most)), layout="constrained", squeeze=False
    )
    for axes in grid.flat[len(wanted) :]:
        axes.axis("off")
    for axes, (scenario, heading, figure, label) in zip(grid.flat, wanted):
        bars(axes, facts, runs[scenario], figure, label)
        axes.set_title(heading, loc="left", fontsize=10)
    drawing.savefig(folder / f"{name}.png", dpi=100, metadata={"Software": None})
    plt.close(drawing)


def services(facts, runs, folder):
    """Cost against the number of services, one picture for each way to tell them apart."""
    kinds = [("hosts", "by host"), ("paths", "by path prefix"), ("regexes", "by regular expression")]
    kinds = [kind for kind in kinds if f"{kind[0]}-10" in runs]
    if not kinds:
        return
    drawing, grid = plt.subplots(1, len(kinds), figsize=(11.5, 3.8), layout="constrained", squeeze=False)
    for axes, (kind, heading) in zip(grid.flat, kinds):
        peers = sorted(
            {peer for count in (10, 1000, 10000) for peer in runs[f"{kind}-{count}"]},
            key=lambda peer: ORDER.index(peer) if peer in ORDER else len(ORDER),
        )
        for peer in peers:
            points = [
                (count, statistics.median(map(request_us, of_peer)))
                for count in (10, 1000, 10000)
                if (of_peer := [run for run in runs[f"{kind}-{count}"].get(peer, []) if run["requests"] > 0])
            ]
            width = 2.5 if peer == "pound" else 1.2
            style = {"color": OURS} if peer == "pound" else {}
            axes.plot(*zip(*points), marker="o", linewidth=width, label=title(facts, peer), **style)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("services")
        axes.set_title(f"Services {heading}", loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=7)
    grid.flat[0].set_ylabel("CPU us per request")
    drawing.savefig(folder / "services.png", dpi=100, metadata={"Software": None})
    plt.close(drawing)


def main():
    facts, runs = read(sys.argv[1])
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    heading = "CPU per small request, 64 kept connections, one worker (less is better)"
    single(facts, runs, "small-64", heading, request_us, "microseconds", folder)
    us, ms = "CPU us per request", "CPU ms per GiB"
    several(
        facts,
        runs,
        [
            ("small-1000", "1,000 kept connections", request_us, us),
            ("new-connection", "A new connection for each request", request_us, us),
            ("log-file", "Access log to a file", request_us, us),
            ("chunked", "16 KiB in chunks, both ways", request_us, us),
            ("answer-1m", "Answers of 1 MiB", gibibyte_ms, ms),
            ("upload-100m", "Uploads of 100 MiB", gibibyte_ms, ms),
            ("paced", "p99 at 70 % of its own saturation", lambda run: run["p99_us"], "microseconds"),
            ("paced-alike", "p99 at the same load for all", lambda run: run["p99_us"], "microseconds"),
            ("idle-10000", "10,000 idle connections", connection_kib, "KiB per connection"),
        ],
        "scenarios",
        folder,
    )
    several(
        facts,
        runs,
        [
            ("tls-small", "Over TLS, 64 kept connections", request_us, us),
            ("tls-answer-1m", "Answers of 1 MiB over TLS", gibibyte_ms, ms),
            ("tls-ecdsa", "A full handshake, ECDSA P-256", request_us, "CPU us per handshake"),
            ("tls-rsa", "A full handshake, RSA 2048", request_us, "CPU us per handshake"),
            ("tls-resumed", "A resumed handshake", request_us, "CPU us per handshake"),
            ("tls-flood", "p99 in a flood of RSA handshakes", lambda run: run["p99_us"], "microseconds"),
            ("tls-idle-10000", "10,000 idle connections of TLS", connection_kib, "KiB per connection"),
        ],
        "tls",
        folder,
    )
    services(facts, runs, folder)


if __name__ == "__main__":
    main()
